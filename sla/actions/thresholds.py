"""Fires what is due: thresholds once per clock and cycle, breaches as facts, and what the policy says to do then."""

from __future__ import annotations

import dataclasses
import json
import logging
import zoneinfo
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import Membership, Team, User
from audit.actions import ActionRefused, action, record_all
from audit.actor import SYSTEM, Actor
from audit.failpoints import failpoint
from incidents import actions as incidents
from incidents.models import Incident
from notify import actions as notify
from sla import queries
from sla.actions.clocks import breach_data, policy_behind
from sla.events import ClockEvent
from sla.fold import Moment, moments
from sla.models import Clock

log = logging.getLogger(__name__)

# One statement: the uniqueness of a threshold and of a breach decides what is news, whoever else sweeps.
_FIRE = """
with given as (
    select * from jsonb_to_recordset(%(clocks)s::jsonb) as x(
        id bigint, fired_percent int, next_threshold int, next_threshold_at timestamptz,
        breached_at timestamptz, breach_cause text)),
moved as (
    update sla_clock c set (fired_percent, next_threshold, next_threshold_at, breached_at, breach_cause) =
        (g.fired_percent, g.next_threshold, g.next_threshold_at, g.breached_at, g.breach_cause)
    from given g where c.id = g.id returning c.*),
fired as (
    insert into sla_thresholdfired (clock_id, cycle, percent, reached_at, fired_at, voids)
    select x.clock, x.cycle, x.percent, x.reached_at, %(at)s, x.voids
    from jsonb_to_recordset(%(fired)s::jsonb)
        as x(clock bigint, cycle int, percent int, reached_at timestamptz, voids smallint)
    on conflict (clock_id, cycle, percent, voids) do nothing returning clock_id, percent),
breached as (
    insert into sla_breach (clock_id, incident_id, target, cycle, at, cause, decided_at, voids)
    select id, incident_id, target, cycle, breached_at, breach_cause, %(at)s, voids
    from moved where breached_at is not null
    on conflict (clock_id, voids) do nothing returning clock_id, incident_id, target),
queue as (
    update sla_queueentry q set is_breached = true from breached b
    where q.incident_id = b.incident_id and b.target <> 'own' and not q.is_breached)
select clock_id, percent from fired union all select clock_id, null from breached
"""


#: Percentages past this repeat the breach.
_FULL = 100


@dataclasses.dataclass(slots=True)
class _Due:
    """A clock under its incident's lock, with what fires now."""

    clock: Clock
    incident: Incident
    passed: list[Moment]
    #: Whether a repeat later than these is due already, so that the next look tells of it.
    goes_on: bool = False


@action
def fire_due(*, incident_ids: Sequence[int], by: Actor, at: datetime) -> int:
    """Fires the thresholds and breaches due at `at` of these incidents; returns how many clocks were due.

    Locks the incidents in id order and passes over those that are locked elsewhere; what is due is read again under
    the lock. Records `clock.threshold_reached` and `clock.breached`.
    """
    locked = {
        one.pk: one
        for one in Incident.objects.select_for_update(no_key=True, skip_locked=True)
        .filter(pk__in=incident_ids)
        .order_by("pk")
    }
    failpoint("sla.sweep.locked")
    clocks = Clock.objects.filter(incident_id__in=list(locked)).due(at).order_by("incident_id", "id")
    due = [_advance(clock, locked[clock.incident_id], at) for clock in clocks]
    if not due:
        return 0
    news = _save(due, at)
    failpoint("sla.sweep.saved")
    told: list[tuple[str, Any, Any, dict[str, Any]]] = []
    for one in due:
        told += [(kind, one.clock, one.incident, data) for kind, data in _events(one, news)]
    record_all(told, by=by, at=at)
    failpoint("sla.sweep.told")
    return len(due)


def _advance(clock: Clock, incident: Incident, at: datetime) -> _Due:
    """Moves a due clock on: what it passed, and when it is looked at next."""
    clock.incident = incident
    terms = queries.terms_of_clock(clock)
    if clock.counted_at is None or clock.due_at is None:
        raise ValueError(f"{clock} is due but does not count: recompute it")
    ahead = moments(
        terms=terms, budget_s=clock.budget_s, elapsed_s=clock.elapsed_s, counted_at=clock.counted_at,
        due_at=clock.due_at, fired_percent=clock.fired_percent, is_breached=clock.breached_at is not None, until=at,
    )  # fmt: skip
    passed = [one for one in ahead if one.at <= at]
    for one in passed:
        if one.is_breach:
            clock.breached_at, clock.breach_cause = clock.due_at, "time"
        else:
            clock.fired_percent = max(clock.fired_percent, one.percent)
    following = ahead[len(passed)] if len(ahead) > len(passed) else None
    if following is None and terms.repeat:
        # One look fires a bounded number of repeats: after a long silence more are due, and another look goes on.
        following = moments(
            terms=terms, budget_s=clock.budget_s, elapsed_s=clock.elapsed_s, counted_at=clock.counted_at,
            due_at=clock.due_at, fired_percent=clock.fired_percent, is_breached=True,
        )[0]  # fmt: skip
    clock.next_threshold = following.percent if following else None
    clock.next_threshold_at = following.at if following else None
    return _Due(clock, incident, passed, goes_on=following is not None and following.at <= at)


def _save(due: Sequence[_Due], at: datetime) -> set[tuple[int, int | None]]:
    """Writes all of it; the (clock, percent) that are news, percent None for a breach."""
    names = ("id", "fired_percent", "next_threshold", "next_threshold_at", "breached_at", "breach_cause")
    clocks = [{name: _plain(getattr(one.clock, name)) for name in names} for one in due]
    fired = [_fired(one.clock, passed) for one in due for passed in one.passed if not passed.is_breach]
    with connection.cursor() as cursor:
        cursor.execute(_FIRE, {"clocks": json.dumps(clocks), "fired": json.dumps(fired), "at": at})
        return set(cursor.fetchall())


def _fired(clock: Clock, passed: Moment) -> dict[str, Any]:
    return {
        "clock": clock.pk, "cycle": clock.cycle, "percent": passed.percent, "reached_at": _plain(passed.at),
        "voids": clock.voids,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _events(due: _Due, news: set[tuple[int, int | None]]) -> list[tuple[str, dict[str, Any]]]:
    clock, found = due.clock, []
    policy_id, policy = policy_behind(clock)
    repeats = [one.percent for one in due.passed if one.percent > _FULL and not one.is_breach]
    for one in due.passed:
        if (clock.pk, None if one.is_breach else one.percent) not in news:
            continue
        if one.is_breach:
            found.append((str(ClockEvent.BREACHED), breach_data(clock)))
        else:
            is_last = one.percent == repeats[-1] and not due.goes_on if one.percent in repeats else True
            acts = policy.actions_at(clock.target, one.percent) if policy else []
            data = {
                "clock": clock.pk, "target": str(clock.target), "cycle": clock.cycle, "percent": one.percent,
                "due_at": _plain(clock.due_at), "policy_id": policy_id,
                # After an outage many repeats are due at once: one mail tells of the last, not one of each.
                "actions": acts if is_last else [act for act in acts if act["do"] != "notify"],
            }  # fmt: skip
            found.append((str(ClockEvent.THRESHOLD_REACHED), data))
    return found


@action(joins=True)
def carry_out(*, clock: Clock, incident: Incident, told: Mapping[str, Any], by: Actor, at: datetime) -> None:
    """Does what the policy says at a threshold or breach; `told` is the data of its event, `actions` being the list.

    Records through the actions that it calls, each done by the system.
    """
    percent = told.get("percent")
    for number, act in enumerate(told["actions"]):
        _do(act, clock, incident, percent=percent, key=f"{percent or 'breach'}:{number}", at=at)


def _do(act: dict[str, Any], clock: Clock, incident: Incident, *, percent: int | None, key: str, at: datetime) -> None:
    """One action of the policy, done by the system whoever's change made the clock reach it."""
    # What is recorded is in one language, whoever's page or key was the cause.
    with translation.override("en"):
        reason = _title(clock, percent)
    match act["do"]:
        case "notify":
            for user in _recipients(incident, act["to"]):
                with translation.override(user.locale):
                    subject, body = f"{incident.reference}: {_title(clock, percent)}", _text(clock, incident, user)
                notify.enqueue_mail_to_user(
                    user=user,
                    subject=subject,
                    body=body,
                    dedup_key=f"clock:{clock.pk}:{clock.cycle}:{key}:{user.pk}",
                    topic=f"incident:{incident.pk}",
                    about=incident,
                    by=SYSTEM,
                    at=at,
                )
        case "raise_priority":
            to = int(act.get("to", max(1, incident.priority - 1)))
            if incident.is_open and to < incident.priority:
                incidents.raise_priority_by_system(incident=incident, priority=to, reason=reason, by=SYSTEM, at=at)
        case "escalate":
            team = Team.objects.get(pk=act["team"]) if act.get("team") else None
            if incident.is_open:
                _escalate(incident, act["how"], team, reason, at)
        case "reassign":
            team = Team.objects.get(pk=act["team"])
            if incident.is_open and incident.team_id != team.pk:
                incidents.assign(incident=incident, team=team, reason=reason, cause="sla", by=SYSTEM, at=at)


def _escalate(incident: Incident, how: str, team: Team | None, reason: str, at: datetime) -> None:
    """Where nobody is above, or the team has it already, the clock's own mails have to do."""
    try:
        incidents.escalate(incident=incident, how=how, team=team, reason=reason, cause="sla", by=SYSTEM, at=at)
    except ActionRefused as refusal:
        log.warning("%s is not escalated: %s", incident.reference, refusal.detail)


def _recipients(incident: Incident, to: Sequence[str]) -> list[User]:
    """Active people, each once; where nobody is assigned, "assignee" means the team's leads."""
    leads = "team_lead" in to or ("assignee" in to and incident.assignee_id is None)
    found: dict[int, User] = {}
    if "assignee" in to and incident.assignee_id is not None:
        assignee = User.objects.filter(pk=incident.assignee_id, is_active=True).first()
        found |= {assignee.pk: assignee} if assignee else {}
    if incident.team_id is not None and (leads or "team" in to):
        members = Membership.objects.filter(team_id=incident.team_id, user__is_active=True)
        members = members if "team" in to else members.filter(is_lead=True)
        found |= {one.user_id: one.user for one in members.select_related("user").order_by("user_id")}
    return list(found.values())


def _title(clock: Clock, percent: int | None) -> str:
    """What the clock reached, in the language of the moment."""
    shown = {"percent": percent, "target": clock.get_target_display()}
    if percent:
        return _("%(percent)s %% of the time to %(target)s is used") % shown
    return _("The time to %(target)s is over") % shown


def _text(clock: Clock, incident: Incident, user: User) -> str:
    """The mail's body, in the language of the moment and the reader's zone."""
    lines = [f"P{incident.priority} {incident.reference} {incident.title}", _("It waits at present.")]
    if clock.due_at:
        due = clock.due_at.astimezone(zoneinfo.ZoneInfo(user.time_zone))
        lines[1] = _("Due at %(moment)s (%(zone)s).") % {"moment": f"{due:%Y-%m-%d %H:%M:%S}", "zone": user.time_zone}
    return "\n".join(lines) + "\n"
