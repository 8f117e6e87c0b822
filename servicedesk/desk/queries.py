"""What the desk's pages read: one page of the queue by due time, its counts, and an incident's story."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

import incidents.queries
import integrations.queries
import oncall.queries
from accounts.roles import STAFF, Role
from alerts.models import Alert
from audit.actor import Actor
from incidents.models import Attachment, Comment, Incident
from incidents.models.conversation import author_for_requester
from oncall.models import Page as OnCallPage
from postmortems.models import PostMortem
from servicedesk.desk.sentences import Told, tell
from sla.models import QueueEntry

PAGE = 50
#: Counting stops here: "999+" tells an agent as much as the exact figure and costs the same on any desk.
COUNT_LIMIT = 999
#: So many lines of a story are shown; the admin's history and the API have all of it.
STORY = 300

VIEWS = {
    "mine": _("My work"),
    "team": _("My teams"),
    "unassigned": _("Unassigned"),
    "breached": _("Late"),
    "open": _("All open"),
}
#: What somebody who only reports sees: open and over, newest first.
REPORTS = {"reported": _("My reports")}
_WORKERS = (Role.AGENT, Role.LEAD, Role.RESPONDER, Role.INCIDENT_MANAGER)


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page of the queue and the key of the next."""

    entries: list[Any]
    after: str


#: What a row shows: a page of fifty reads these values, not two hundred objects.
_SHOWN = (
    "incident_id", "priority", "due_at", "target", "is_breached", "incident__number", "incident__version",
    "incident__title", "incident__state", "incident__channel", "incident__hold_until", "incident__requester__name",
    "assignee__name", "team__name",
)  # fmt: skip


def views_of(actor: Actor) -> dict[str, Any]:
    """The views that make sense for the actor's roles."""
    if not actor.has_role(*STAFF):
        return REPORTS
    if actor.has_role(*_WORKERS):
        return VIEWS
    return {name: label for name, label in VIEWS.items() if name not in ("mine", "team")}


def first_view(actor: Actor) -> str:
    """Where the actor's work is."""
    views = views_of(actor)
    return "team" if actor.team_ids and "team" in views else list(views)[-1]


def _view(view: str, actor: Actor) -> Q:
    if view == "mine":
        return Q(assignee_id=actor.user_id)
    if view == "team":
        return Q(team_id__in=actor.team_ids)
    if view == "unassigned":
        return Q(assignee_id=None)
    if view == "breached":
        return Q(is_breached=True)
    return Q()


def queue(view: str, actor: Actor, narrowed: Q | None = None) -> QuerySet[QueueEntry]:
    """The open incidents of a view that the actor may see, soonest due first, those without a clock last."""
    chosen = QueueEntry.objects.filter(_view(view, actor), narrowed or Q())
    rows = chosen.exclude(state__in=["resolved", "closed", "cancelled"])
    visible = Incident.objects.visible_to(actor).order_by()
    if visible.query.where:
        # The entry knows its team and owner: only for the others is the incident itself asked.
        seen = Q(Exists(visible.open().filter(pk=OuterRef("incident_id"))))
        rows = rows.filter(Incident.objects.work_of(actor) | seen)
    return rows.order_by(F("due_at").asc(nulls_last=True), "incident_id")


def _key(entry: Any) -> str:
    raw = json.dumps([entry.due_at.isoformat() if entry.due_at else None, entry.incident_id])
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _after(key: str) -> Q:
    """Rows behind a page's key; a key that can't be read means the first page."""
    try:
        due, last = json.loads(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
        due_at = datetime.fromisoformat(due) if due else None
        last = int(last)
    except (ValueError, TypeError, binascii.Error, UnicodeDecodeError, OverflowError, RecursionError):
        return Q()
    if (due_at is not None and due_at.tzinfo is None) or not -(2**63) <= last < 2**63:
        return Q()
    if due_at is None:
        return Q(due_at=None, incident_id__gt=last)
    return Q(due_at__gt=due_at) | Q(due_at=due_at, incident_id__gt=last) | Q(due_at=None)


def queue_page(view: str, actor: Actor, after: str = "", narrowed: Q | None = None) -> Page:
    """Fifty rows behind `after`; one statement, whatever the size of the desk."""
    rows = queue(view, actor, narrowed)
    if after:
        rows = rows.filter(_after(after))
    found = list(rows.values_list(*_SHOWN, named=True)[: PAGE + 1])
    return Page(entries=found[:PAGE], after=_key(found[PAGE - 1]) if len(found) > PAGE else "")


def counts(actor: Actor) -> dict[str, str]:
    """How many incidents each view holds, up to COUNT_LIMIT, in one statement."""
    names = [name for name in views_of(actor) if name in VIEWS]
    parts: list[str] = []
    values: list[Any] = []
    for name in names:
        try:
            rows = queue(name, actor).order_by().values("pk")[: COUNT_LIMIT + 1]
            statement, given = rows.query.sql_with_params()
        except EmptyResultSet:
            statement, given = "select 1 where false", ()
        parts.append(f"(select count(*) from ({statement}) x)")  # noqa: S608  # nosec B608: the query's own text
        values += given
    if not names:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(f"select {', '.join(parts)}", values)
        found = dict(zip(names, cursor.fetchone(), strict=True))
    return {name: f"{COUNT_LIMIT}+" if count > COUNT_LIMIT else str(count) for name, count in found.items()}


def search(text: str, actor: Actor) -> list[Incident]:
    """The newest fifty incidents that match a number or words, within what the actor may see."""
    return incidents.queries.search(_shown_with(Incident.objects.visible_to(actor)), text, actor, PAGE)


def reports(actor: Actor) -> list[Incident]:
    """What the actor reported, the newest fifty."""
    return _listed(Incident.objects.visible_to(actor).filter(requester_id=actor.user_id))


def _listed(rows: Any) -> list[Incident]:
    return list(_shown_with(rows).order_by("-id")[:PAGE])


def _shown_with(rows: Any) -> Any:
    return rows.select_related("requester", "team", "assignee")


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One entry of an incident's story: either something said or something done."""

    at: datetime
    comment: Comment | None = None
    told: Told | None = None
    author: str = ""


def story(actor: Actor, incident: Incident, *, is_staff: bool) -> list[Line]:
    """What was said and done, the newest first; a requester reads the public part."""
    comments = incidents.queries.comments_for(actor, incident, is_staff=is_staff)
    comments = comments.select_related("incident", "addressed_to").order_by("-id")
    events = incidents.queries.timeline_for(actor, incident, is_staff=is_staff).exclude(kind="incident.commented")
    lines = [
        Line(at=one.created_at, comment=one, author=_author(one, is_staff=is_staff))
        for one in comments.select_related("author", "incident__team")[:STORY]
    ]
    told = tell(events.order_by("-id")[:STORY], reader=None if is_staff else incident)
    lines += [Line(at=one.at, told=one) for one in told]
    return sorted(lines, key=lambda one: one.at, reverse=True)[:STORY]


def files(actor: Actor, incident: Incident, *, is_staff: bool) -> list[Attachment]:
    """The files that the actor may fetch, each with who sent it as the actor reads it."""
    found = list(incidents.queries.attachments_for(actor, incident, is_staff=is_staff))
    for one in found:
        one.author_label = _author(one, is_staff=is_staff)
    return found


def _author(comment: Comment | Attachment, *, is_staff: bool) -> str:
    return comment.author_label if is_staff else author_for_requester(comment)


def surroundings(actor: Actor, incident: Incident, now: datetime) -> dict[str, Any]:
    """What the desk's people see beside an incident: its pages, its alerts, its post-mortem."""
    pages = list(OnCallPage.objects.filter(incident=incident).select_related("acknowledged_by").order_by("-id")[:5])
    return {
        "pages": [
            (page, ", ".join(str(one) for one in oncall.queries.next_people(page, now)) if page.escalate_at else "")
            for page in pages
        ],
        "alerts": list(Alert.objects.filter(incident=incident).select_related("source").order_by("-id")[:5]),
        "similar": incidents.queries.similar_to(actor, incident, 5),
        "others": incidents.queries.others_of_requester(actor, incident),
        "mails": list(integrations.queries.mails_of(incident)[:10]),
        "postmortem": PostMortem.objects.visible_to(actor).filter(incident=incident).first(),
    }
