"""The drill's steps: each waits for rows that the pipeline itself writes, and notes how late they were.

The story lasts twenty minutes: an alert at 0:00 pages the first, whose mail stays unseen; at 5:00 the second is paged
and confirms; the source recovers; the post-mortem is drafted. Compressed time scales the policy's delays, never the
clock.
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.utils import timezone

from incidents.models import Incident
from notify.models import MailboxMail, Message
from oncall.drill import delays_scaled_by
from oncall.models import Page, PageNotification
from postmortems.models import PostMortem
from servicedesk.drill import http
from servicedesk.drill.stage import DELAYS, FIRST, SECOND, Stage

T = TypeVar("T")
_POLL = 0.05
_LINK = re.compile(r"(/r/[A-Za-z0-9_-]+/)")


class Missed(Exception):
    """A step did not happen, or not in time."""


@dataclasses.dataclass(slots=True)
class Step:
    """One line of the report; `lateness_s` is how long after its due moment it was done."""

    name: str
    ok: bool
    lateness_s: float | None
    detail: str


class Drill:
    """One run of the story on a stage; `late_after` is the lateness in seconds at which a step has failed."""

    def __init__(self, stage: Stage, *, scale: float, late_after: float) -> None:
        self.stage = stage
        self.scale = scale
        self.late_after = late_after
        self.steps: list[Step] = []
        self.alert = {
            "title": "Drill: checkout answers 502",
            "status": "firing",
            "severity": "critical",
            "fingerprint": f"drill-{time.time_ns()}",
        }

    def run(self) -> bool:
        """Plays the story; ends at the first step that is missing or late."""
        try:
            self._play()
        except Missed as missed:
            self.steps.append(Step(str(missed), ok=False, lateness_s=None, detail="did not happen in time"))
        return all(step.ok for step in self.steps)

    def _play(self) -> None:
        incident = self._alert()
        page = self._wait("a page runs", lambda: Page.objects.filter(incident=incident).first())
        first = self._level(page, 1, FIRST, page.started_at)
        due = first.created_at.timestamp() + DELAYS[0] * self.scale
        self._level(page, 2, SECOND, datetime.fromtimestamp(due, tz=first.created_at.tzinfo))
        acknowledged = self._acknowledge(incident)
        self._silence(page, acknowledged)
        self._recover(incident)
        self._learn(incident)
        self._once(page)

    def _done(self, name: str, lateness: float, detail: str = "") -> None:
        self.steps.append(Step(name, lateness <= self.late_after, round(lateness, 3), detail))
        if lateness > self.late_after:
            raise Missed(f"{name}: {lateness:.1f} s late")

    def _wait(self, name: str, find: Callable[[], T | None], until: float | None = None) -> T:
        """Asks again until it is there; gives up `late_after` seconds past the due moment (epoch seconds)."""
        limit = (until or time.time()) + self.late_after
        while True:
            found = find()
            if found:
                return found
            if time.time() > limit:
                raise Missed(name)
            time.sleep(_POLL)

    def _alert(self) -> Incident:
        began = time.time()
        path = f"/api/v1/intake/{self.stage.key}/"
        with delays_scaled_by(self.scale):
            status, body = http.post_json(path, self.alert)
        if status >= 300:
            raise Missed(f"the alert was answered {status}: {body[:200]!r}")
        reference = json.loads(body)["incidents"][0]
        incident = self._incident(reference)
        self._done("alert received, incident opened", time.time() - began, reference)
        return incident

    def _incident(self, reference: str) -> Incident:
        return Incident.objects.get(number=int(reference.removeprefix("INC-")))

    def _level(self, page: Page, level: int, address: str, due: datetime) -> PageNotification:
        """The level was decided at its moment, and its message reached the test channel."""
        told = self._wait(
            f"level {level} is paged",
            lambda: PageNotification.objects.filter(page=page, level=level, round=1).order_by("pk").first(),
            due.timestamp(),
        )
        self._done(f"level {level} paged", (told.created_at - due).total_seconds(), address)
        message = self._wait(
            f"the message to level {level} is sent",
            lambda: Message.objects.filter(pk=told.message_id, state__in=["sent", "delivered"]).first(),
        )
        self._done(
            f"message to level {level} sent",
            (_known(message.sent_at) - told.created_at).total_seconds(),
            message.channel,
        )
        return told

    def _link(self, incident: Incident) -> str:
        mail = (
            MailboxMail.objects.filter(recipients__contains=[SECOND], subject__contains=incident.reference)
            .order_by("-pk")
            .first()
        )
        found = _LINK.search(mail.body) if mail else None
        if found is None:
            raise Missed("the page's mail holds a link")
        return found.group(1)

    def _acknowledge(self, incident: Incident) -> datetime:
        path = self._link(incident)
        status, _body = http.call("GET", path)
        if status != 200 or self._incident(incident.reference).acknowledged_at is not None:
            raise Missed(f"looking at the link shows and does not act ({status})")
        began = time.time()
        status, _body = http.post_form(path, verb="acknowledge")
        fresh = self._incident(incident.reference)
        if status >= 400 or fresh.acknowledged_at is None:
            raise Missed(f"the second confirms by the link ({status})")
        self._done("acknowledged by the link", time.time() - began, str(fresh.acknowledged_by))
        return _known(fresh.acknowledged_at)

    def _silence(self, page: Page, acknowledged: datetime) -> None:
        """Past the moment at which the next step would have come, nothing was decided and nothing waits."""
        time.sleep(DELAYS[1] * self.scale + 1.5)
        later = PageNotification.objects.filter(page=page, created_at__gt=acknowledged).count()
        waiting = Message.objects.filter(topic=page.topic, next_attempt_at__isnull=False).count()
        self.steps.append(Step("nothing goes out after the acknowledgement", later + waiting == 0, None, ""))
        if later + waiting:
            raise Missed(f"{later} pages and {waiting} waiting messages after the acknowledgement")

    def _recover(self, incident: Incident) -> None:
        began = time.time()
        status, body = http.post_json(f"/api/v1/intake/{self.stage.key}/", {**self.alert, "status": "resolved"})
        if status >= 300:
            raise Missed(f"the recovery was answered {status}: {body[:200]!r}")
        self._wait("resolved", lambda: self._incident(incident.reference).state == "resolved")
        self._done("recovered at the source, resolved", time.time() - began)
        page = self._wait(
            "the page has ended", lambda: Page.objects.filter(incident=incident, state="resolved").first()
        )
        self._done("page ended", max(0.0, time.time() - began), str(page.end_cause))

    def _learn(self, incident: Incident) -> None:
        began = time.time()
        found = self._wait("a post-mortem is drafted", lambda: PostMortem.objects.filter(incident=incident).first())
        entries = found.timeline.count()
        if not entries:
            raise Missed("the draft has its timeline written")
        self._done("post-mortem drafted with its timeline", time.time() - began, f"{entries} entries")

    def _once(self, page: Page) -> None:
        """Nobody was paged twice: one message a person and level, and the provider saw each key once."""
        told = list(PageNotification.objects.filter(page=page).values_list("round", "level", "user_id"))
        doubled = _copies(page)
        self.steps.append(
            Step("nobody paged twice", len(told) == len(set(told)) and not doubled, None, f"{len(told)} pages")
        )


def _known(moment: datetime | None) -> datetime:
    """A moment that the state promises; its absence is a fault of the desk."""
    if moment is None:
        raise Missed("a moment is recorded")
    return moment


def _copies(page: Page) -> int:
    """How many of the page's mails the test channel saw more than once."""
    ids = Message.objects.filter(topic=page.topic).values_list("headers", flat=True)
    names = [headers.get("Message-ID") for headers in ids]
    return MailboxMail.objects.filter(message_id__in=[name for name in names if name], copies__gt=1).count()


def report(drill: Drill, ok: bool, began: datetime) -> dict[str, Any]:
    return {
        "ok": ok,
        "scale": drill.scale,
        "seconds": round((timezone.now() - began).total_seconds(), 1),
        "steps": [dataclasses.asdict(step) for step in drill.steps],
    }
