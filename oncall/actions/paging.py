"""Starts pages and takes them from step to step until somebody confirms or nobody is left to ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from audit.actions import action, record
from audit.actor import Actor
from incidents.models import Incident
from notify.actions import enqueue_mail_to_user
from notify.wakeup import wake_after_commit
from oncall import drill, queries
from oncall.actions.firing import FALLBACK, notify_people
from oncall.actions.holding import end_page, hand_to, locked
from oncall.events import PageEvent
from oncall.models import BreachRule, EscalationPolicy, Page, PageState
from oncall.queries.pages import fallback_targets
from oncall.steps import next_step

SWEEP = "oncall.tasks.sweep"
UNANSWERED, UNREACHED = "nobody confirmed", "nobody could be reached"
INCIDENT = "incident"
#: The cause of a page because nobody decided about a proposed major incident.
MAJOR = "nobody decided whether it is a major incident"


@action(joins=True)
def start_page(
    *, incident: Incident, policy: EscalationPolicy, cause: str, by: Actor, at: datetime, chain: Iterable[int] = ()
) -> Page | None:
    """Starts a page with a snapshot of the policy; the sweep, woken after the commit, tells the first level.

    A page of the same policy that runs already is joined (`page.joined`); else records `page.started`. None for an
    incident that is over and for a policy that has fallen back to itself.
    """
    fresh = Incident.objects.select_for_update(no_key=True).get(pk=incident.pk)
    if not fresh.is_open or policy.pk in (chain := list(chain)):
        return None
    running = Page.objects.running().filter(incident=fresh, policy=policy).first()
    if running is not None:
        record(PageEvent.JOINED, running, by, at, about=fresh, policy=policy.name, cause=cause)
        return running
    scale = drill.current_scale() if fresh.is_drill else 1.0
    page = Page.objects.create(
        incident=fresh, policy=policy, snapshot=queries.snapshot_of(policy, delay_scale=scale, chain=chain),
        cause=cause[:200], last_round=1 + policy.repeats, escalate_at=at, started_at=at, round_started_at=at,
        is_drill=fresh.is_drill,
    )  # fmt: skip
    record(PageEvent.STARTED, page, by, at, about=fresh, policy=policy.name, cause=cause, drill=page.is_drill)
    wake_after_commit(SWEEP)
    return page


@action(joins=True)
def start_page_for(*, incident: Incident, cause: str, by: Actor, at: datetime) -> Page | None:
    """Starts the page that the incident's service, else its team, asks for; None when nothing does.

    Only an open incident, neither imported nor a request or question, whose priority reaches the policy's threshold.
    """
    if not incident.is_open or incident.is_imported or incident.kind != INCIDENT:
        return None
    policy = queries.policy_of(incident)
    if policy is None or incident.priority > policy.priority_threshold:
        return None
    return start_page(incident=incident, policy=policy, cause=cause, by=by, at=at)


@action(joins=True)
def reconsider(
    *, incident: Incident, cause: str, by: Actor, at: datetime, after_exhaustion: bool = False
) -> Page | None:
    """Starts a page after a change of priority, service or team, unless somebody is asked or has it already.

    A policy that was exhausted is tried again only for a new reason to hurry, not because somebody sorts the incident.
    """
    policy = queries.policy_of(incident)
    busy = [PageState.RUNNING, PageState.ACKNOWLEDGED, *([] if after_exhaustion else [PageState.EXHAUSTED])]
    if policy is None or Page.objects.filter(incident=incident, policy=policy, state__in=busy).exists():
        return None
    return start_page_for(incident=incident, cause=cause, by=by, at=at)


@action(joins=True)
def page_undecided_major(*, incident: Incident, by: Actor, at: datetime) -> Page | None:
    """Pages by the policy for majors, else the incident's own; where there is none, who may decide gets a mail."""
    policy = queries.major_policy(incident)
    if policy is not None:
        return start_page(incident=incident, policy=policy, cause=MAJOR, by=by, at=at)
    for user in queries.deciders():
        with translation.override(user.locale):
            subject = _("%(reference)s: decide whether it is a major incident") % {"reference": incident.reference}
        enqueue_mail_to_user(
            user=user, subject=subject, body=f"{incident.reference} {incident.title}\n",
            topic=f"incident:{incident.pk}",
            dedup_key=f"major:{incident.pk}:{at.timestamp():.6f}:{user.pk}", about=incident, by=by, at=at,
        )  # fmt: skip
    return None


@action(joins=True)
def end_major_pages(*, incident: Incident, cause: str, by: Actor, at: datetime) -> None:
    """Somebody decided: what asked for that asks no more."""
    for page in Page.objects.open().filter(incident=incident, cause=MAJOR).order_by("pk"):
        end_page(page, cause, by, at)


@action(joins=True)
def take_over_pages(*, incident: Incident, source_number: str, by: Actor, at: datetime) -> list[Page]:
    """Goes on asking, on the incident that lives on, what the pages of a merged one asked; not where somebody has it.

    Starts or joins a page of each policy that runs there. The merged incident's own pages end with its merge.
    """
    if incident.acknowledged_at is not None:
        return []
    number = int(source_number.removeprefix("INC-"))
    running = Page.objects.running().filter(incident__number=number, policy__is_active=True).select_related("policy")
    started = [
        start_page(incident=incident, policy=page.policy, cause=f"merge of {source_number}", by=by, at=at)
        for page in running.order_by("pk")
        if page.policy is not None
    ]
    return [page for page in started if page is not None]


@action(joins=True)
def start_pages_for_clock(
    *, incident: Incident, target: str, percent: int, sla_policy_id: int | None, by: Actor, at: datetime
) -> list[Page]:
    """Starts or joins the pages that breach rules ask for when a clock reaches a percentage."""
    if incident.is_imported or incident.kind != INCIDENT:
        return []
    rules = BreachRule.objects.filter(is_active=True, percent=percent, target__in=["", target]).order_by("id")
    started = []
    for rule in rules.filter(priority_threshold__gte=incident.priority).select_related("escalation_policy"):
        policy = rule.escalation_policy or queries.policy_of(incident)
        if rule.sla_policy_id not in (None, sla_policy_id) or policy is None or not policy.is_active:
            continue
        page = start_page(incident=incident, policy=policy, cause=f"{target} {percent} %: {rule}", by=by, at=at)
        started += [page] if page else []
    return started


@action
def escalate(
    *, page_id: int, by: Actor, at: datetime, cause: str = UNANSWERED, step: tuple[int, int] | None = None
) -> Page:
    """Takes a running page whose time has come to its next step; does nothing when it is not due (any more).

    `step` names the (round, level) that the caller saw: another worker may have been first. Records `page.escalated`,
    `page.notified`, `page.unreachable`, and `page.exhausted` after the last round.
    """
    page = locked(page_id)
    if page.state != PageState.RUNNING or page.escalate_at is None or page.escalate_at > at:
        return page
    if step is not None and step != (page.round, page.level):
        return page
    if not _is_stale(page, by, at):
        advance(page, by, at, cause=cause)
    return page


def _is_stale(page: Page, by: Actor, at: datetime) -> bool:
    """Repairs a page that a failed handler left running: its incident is over, or somebody has it."""
    incident = page.incident
    if not incident.is_open:
        end_page(page, f"the incident is {incident.state}", by, at)
        return True
    acknowledged_at, holder = incident.acknowledged_at, incident.acknowledged_by_id
    if acknowledged_at is not None and holder is not None and acknowledged_at > page.round_started_at:
        hand_to(page, holder, by, at)
        return True
    return False


def advance(page: Page, by: Actor, at: datetime, *, cause: str, holder: User | None = None) -> None:
    """Fires the next step; a level that reaches nobody tells the fallback and passes on within its round at once.

    `holder` is told together with the level, because their time ran out. After an unreachable last level the round's
    wait is kept, so that somebody whose shift begins meanwhile is paged by the next round.
    """
    levels = page.levels
    while True:
        found = next_step(levels=len(levels), round=page.round, level=page.level, last_round=page.last_round)
        if found is None:
            _exhaust(page, by, at)
            return
        first = page.level == 0 and page.round == 1
        if cause == UNANSWERED and page.level and not _was_told(page):
            cause = UNREACHED
        if found[0] != page.round:
            page.round_started_at = at
        page.round, page.level = found
        page.escalate_at = at + timedelta(seconds=page.scaled(levels[page.level - 1]["delay_s"]))
        if not first:
            record(
                PageEvent.ESCALATED, page, by, at, about=page.incident, round=page.round, level=page.level, cause=cause
            )
        people = queries.people_of_targets(levels[page.level - 1]["targets"], at)
        if holder is not None and holder.is_active:
            people = [holder, *(user for user in people if user.pk != holder.pk)]
        if notify_people(page, people, by, at) or _unreachable(page, by, at):
            break
        cause = UNREACHED
    page.save()
    wake_after_commit(SWEEP)


def _was_told(page: Page) -> bool:
    return page.notifications.filter(round=page.round, level=page.level).exists()


def _unreachable(page: Page, by: Actor, at: datetime) -> bool:
    """Tells the fallback, loudly; whether to wait here, because the round has no further level."""
    record(PageEvent.UNREACHABLE, page, by, at, about=page.incident, round=page.round, level=page.level)
    level = page.level
    page.level = FALLBACK
    notify_people(page, fallback_or_admins(page, at), by, at, last_resort=True)
    page.level = level
    return level == len(page.levels)


def fallback_or_admins(page: Page, at: datetime) -> list[User]:
    """The policy's fallback people; the admins where it has none who is there."""
    return queries.people_of_targets(fallback_targets(page), at) or queries.admins()


def _exhaust(page: Page, by: Actor, at: datetime) -> None:
    """The end of the last round, as a round of its own: fallback and admins are told, the fallback policy starts."""
    unreached = queries.unreached_levels(page)
    reached = len(unreached) < len(page.levels)
    page.exhaust(at, UNANSWERED if reached else UNREACHED)
    rounds, page.round, page.level = page.round, page.round + 1, FALLBACK
    page.save()
    told = notify_people(page, _each_once(fallback_or_admins(page, at), queries.admins()), by, at, last_resort=True)
    record(
        PageEvent.EXHAUSTED, page, by, at, about=page.incident, rounds=rounds, fallback=[user.pk for user in told],
        unreached=unreached, reached=reached,
    )  # fmt: skip
    policy = EscalationPolicy.objects.filter(pk=page.snapshot["fallback"].get("policy") or 0, is_active=True).first()
    if policy is not None:
        start_page(
            incident=page.incident, policy=policy, cause=f"fallback of {page.snapshot['name']}",
            chain=page.snapshot["chain"], by=by, at=at,
        )  # fmt: skip


def _each_once(*groups: Sequence[Any]) -> list[Any]:
    return list({user.pk: user for group in groups for user in group}.values())
