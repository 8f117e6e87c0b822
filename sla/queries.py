"""Which policy applies to an incident and why, the read versions behind it, and what its clocks say."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet

from audit.actor import ActorKind
from audit.queries import ask, kept, planned
from incidents.models import Incident, State
from sla.businesstime import WALL_CLOCK, WorkCalendar, between
from sla.facts import RELEVANT, Happened
from sla.fold import Terms
from sla.models import Calendar, CalendarVersion, Clock, PolicyVersion, SlaPolicy
from sla.terms import TARGETS, Inputs, Policy, default_own, default_reply

#: A deadline so long overdue is no longer "about to be swept".
TOLERANCE = timedelta(seconds=60)


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One active policy in its latest version, with the latest version of its calendar."""

    policy_id: int
    policy_version_id: int
    calendar_version_id: int
    policy: Policy


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """The policy taken for an incident (None: there is none), and the others in order with why they were not."""

    rule: Rule | None
    rejected: tuple[tuple[str, str], ...]


class _Cache(threading.local):
    """What this thread knows of the versions, which never change; `stamp` is the newest of each when it looked."""

    def __init__(self) -> None:
        self.stamp: tuple[Any, ...] = ()
        self.rules: tuple[Rule, ...] = ()
        self.policies: dict[int, tuple[int, Policy]] = {}
        self.calendars: dict[int, WorkCalendar] = {}
        self.terms: dict[tuple[int, int, int], dict[str, Terms]] = {}

    def forget(self) -> None:
        self.policies, self.calendars, self.terms = {}, {}, {}


_cache = _Cache()

_STAMP = """
select (select array[id::text, created_at::text] from sla_policyversion order by id desc limit 1),
       (select array[id::text, created_at::text] from sla_calendarversion order by id desc limit 1)
"""


def rules() -> tuple[Rule, ...]:
    """The active policies in order; one statement, unless a version was saved since this thread last looked."""
    return kept("sla.rules", _rules)


def _rules() -> tuple[Rule, ...]:
    with planned() as cursor:
        cursor.execute(_STAMP)
        stamp = (connection.settings_dict["NAME"], *cursor.fetchone())
    if stamp != _cache.stamp:
        _cache.forget()
        _cache.rules = tuple(_load())
        _cache.stamp = stamp
    return _cache.rules


def _load() -> list[Rule]:
    newest = CalendarVersion.objects.order_by("calendar_id", "-number").distinct("calendar_id")
    calendars = dict(newest.values_list("calendar_id", "id"))
    latest = PolicyVersion.objects.order_by("policy_id", "-number").distinct("policy_id")
    found = []
    for version in latest.filter(policy__is_active=True).select_related("policy"):
        calendar = calendars.get(version.policy.calendar_id)
        if calendar is not None:
            found.append(Rule(version.policy_id, version.pk, calendar, Policy(version.definition)))
    return sorted(found, key=lambda rule: (rule.policy.definition["position"], rule.policy_id))


def calendar_of(version_id: int | None) -> WorkCalendar:
    """The calendar of a version; none is the wall clock."""
    if version_id is None:
        return WALL_CLOCK
    if version_id not in _cache.calendars:
        _cache.calendars[version_id] = WorkCalendar.from_json(CalendarVersion.objects.get(pk=version_id).definition)
    return _cache.calendars[version_id]


def policy_of(version_id: int) -> tuple[int, Policy]:
    """The policy's id and its definition as of a version."""
    if version_id not in _cache.policies:
        version = PolicyVersion.objects.get(pk=version_id)
        _cache.policies[version_id] = version.policy_id, Policy(version.definition)
    return _cache.policies[version_id]


def terms_of(agreed: Mapping[str, Any]) -> dict[str, Terms]:
    """The terms of every target that the data of `clock.started` or `clock.terms_changed` names."""
    own = default_own(int(agreed["own_default_s"]))
    reply = default_reply(int(agreed.get("reply_default_s") or settings.SERVICEDESK_REPLY_CLOCK_SECONDS))
    update = default_own(int(agreed.get("update_default_s") or settings.SERVICEDESK_MAJOR_UPDATE_SECONDS))
    if agreed["policy_version"] is None:
        nothing = {target: Terms(WALL_CLOCK, None) for target in TARGETS}
        return nothing | {"own": own, "next_reply": reply, "update": update}
    key = (int(agreed["policy_version"]), int(agreed["calendar_version"]), int(agreed["priority"]))
    if key not in _cache.terms:
        _, policy = policy_of(key[0])
        calendar = calendar_of(key[1])
        _cache.terms[key] = {target: policy.terms(target, key[2], calendar) for target in TARGETS}
    terms = _cache.terms[key]
    defaults = {"own": own, "next_reply": reply, "update": update}
    missing = {target: default for target, default in defaults.items() if not terms[target].budget}
    return {**terms, **missing} if missing else terms


def terms_of_clock(clock: Clock) -> Terms:
    """The terms that a clock's row was computed under."""
    if clock.policy_version_id is None:
        return default_own(clock.budget_s) if clock.target == Clock.Target.OWN else default_reply(clock.budget_s)
    agreed = {
        "policy_version": clock.policy_version_id, "calendar_version": clock.calendar_version_id,
        "priority": clock.priority, "own_default_s": clock.budget_s, "reply_default_s": clock.budget_s,
        "update_default_s": clock.budget_s,
    }  # fmt: skip
    return terms_of(agreed)[clock.target]


def inputs_of(incident: Incident) -> Inputs:
    """What the choice of policy looks at; the categories above are read only where a policy asks for categories."""
    categories: tuple[int, ...] = ()
    if incident.category_id is not None:
        asked = any(rule.policy.definition["conditions"].get("categories") for rule in _cache.rules)
        categories = tuple(one.pk for one in incident.category.path()) if asked else (incident.category_id,)
    return Inputs(
        priority=incident.priority,
        kind=str(incident.kind),
        categories=categories,
        service=incident.service_id,
        team=incident.team_id,
        organisation=incident.organisation_id,
    )


def choose(inputs: Inputs, among: tuple[Rule, ...]) -> Choice:
    """The first policy that fits, and why those before it did not; those after are named as not reached."""
    rejected: list[tuple[str, str]] = []
    chosen: Rule | None = None
    for rule in among:
        why = "a policy before it was taken" if chosen else rule.policy.mismatch(inputs)
        if why:
            rejected.append((rule.policy.name, why))
        else:
            chosen = rule
    return Choice(chosen, tuple(rejected))


def policy_for(incident: Incident) -> Choice:
    """The policy that an incident as it is now would get, with the ones that do not match and why."""
    among = rules()
    return choose(inputs_of(incident), among)


def agree(incident: Incident) -> dict[str, Any]:
    """The data of the event that says which terms hold for an incident from now on."""
    among = rules()
    inputs = inputs_of(incident)
    rule = choose(inputs, among).rule
    return agreement(
        inputs,
        policy_version=rule.policy_version_id if rule else None,
        calendar_version=rule.calendar_version_id if rule else None,
    )


def agreement(inputs: Inputs, *, policy_version: int | None, calendar_version: int | None) -> dict[str, Any]:
    """The same for versions that are given."""
    policy_id, policy = policy_of(policy_version) if policy_version else (None, None)
    return {
        "policy": policy.name if policy else "",
        "policy_id": policy_id,
        "policy_version": policy_version,
        "calendar_version": calendar_version,
        "priority": inputs.priority,
        "inputs": inputs.as_json(),
        "targets": {
            target: entries[str(inputs.priority)]
            for target, entries in (policy.definition["targets"] if policy else {}).items()
            if str(inputs.priority) in entries
        },
        "own_default_s": settings.SERVICEDESK_OWN_CLOCK_SECONDS,
        "reply_default_s": settings.SERVICEDESK_REPLY_CLOCK_SECONDS,
        "update_default_s": settings.SERVICEDESK_MAJOR_UPDATE_SECONDS,
    }


def elapsed(clock: Clock, at: datetime) -> int:
    """The counted seconds of a clock at an instant."""
    if clock.counted_at is None:
        return clock.elapsed_s
    return clock.elapsed_s + between(terms_of_clock(clock).calendar, clock.counted_at, at)


def clocks_for(incident: Incident) -> QuerySet[Clock]:
    """All clocks of an incident, each target's cycles in order."""
    return Clock.objects.filter(incident=incident).order_by("target", "cycle")


# An event and a clock lie side by side in each row, so that both come in one statement in their own types.
_RECORDED = f"""
select e.kind, e.at, e.data, e.actor_kind, {", ".join(f"c.{field.column}" for field in Clock._meta.concrete_fields)}
from (
    select row_number() over (order by id) as place, kind, at, data, actor_kind from audit_event
    where about_type = %(type)s and about_id = %(id)s and kind = any(%(kinds)s)
) e full join (
    select row_number() over (order by id) as place, * from sla_clock where incident_id = %(id)s
) c using (place) order by place
"""  # noqa: S608  # nosec B608: the model's own column names


def clock_of(values: Iterable[Any]) -> Clock:
    """A clock from the values of all its columns; by name it would cost three times as much."""
    made: Any = Clock
    return made(*values)  # type: ignore[no-any-return]


def recorded(incident: Incident) -> tuple[list[Happened], list[Clock]]:
    """What the clocks of an incident depend on, in the order in which it was recorded, and the clocks as stored."""
    values = {"type": Incident._meta.label_lower, "id": incident.pk, "kinds": [str(kind) for kind in RELEVANT]}
    history, clocks = [], []
    for kind, at, data, actor, *row in ask(_RECORDED, values):
        if kind is not None:
            history.append(Happened(kind, at, json.loads(data), actor == ActorKind.PERSON))
        if row[0] is not None:
            clocks.append(clock_of(row))
    return history, clocks


def next_due(incident: Incident) -> Clock | None:
    """The clock whose deadline comes first; that of an unowned incident only where no other runs."""
    running = Clock.objects.filter(incident=incident, due_at__isnull=False).running()
    is_own = ExpressionWrapper(Q(target=Clock.Target.OWN), BooleanField())
    return running.order_by(is_own, "due_at", "id").first()


def answer_by(incident: Incident) -> datetime | None:
    """By when somebody answers at the latest, as long as nobody has."""
    respond = Clock.objects.filter(incident=incident, target=Clock.Target.RESPOND, due_at__isnull=False).running()
    return respond.order_by("-cycle").values_list("due_at", flat=True).first()


def calendars_in_use() -> QuerySet[Calendar]:
    """Calendars that an active policy works by."""
    return Calendar.objects.filter(Exists(SlaPolicy.objects.filter(is_active=True, calendar=OuterRef("pk"))))


def unwatched_incidents(at: datetime) -> QuerySet[Incident]:
    """Open incidents that neither a clock, an idle reminder nor a wake-up will bring up again (SEMANTICS, Watchdog).

    Escalation levels are the paging app's part; whoever runs the watchdog takes those away.
    """
    ahead = Clock.objects.filter(incident=OuterRef("pk"), next_threshold_at__gt=at - TOLERANCE)
    owned = Q(assignee__is_active=True) & (Q(idle_at__gt=at - TOLERANCE) | Exists(ahead))
    queued = Q(team__isnull=False) & Exists(ahead.filter(target=Clock.Target.OWN))
    waiting = Q(state=State.ON_HOLD, hold_until__gt=at - TOLERANCE)
    return Incident.objects.open().filter(is_imported=False).exclude(owned | queued | waiting).order_by(F("number"))
