"""Computes the facts of incidents anew from their events, rows and clocks; the one way in which facts come to be."""

from __future__ import annotations

import collections
import dataclasses
import json
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import connection

from accounts.models import Team
from audit.actor import ActorKind
from incidents.models import Incident
from metrics.definitions import FOLDED
from metrics.fold import KINDS, Folded, Given, Happened, Value, Why, fold
from metrics.models import Fact

INCIDENT = Incident._meta.label_lower
#: What of an incident's row the facts need.
_FIELDS = (
    "pk", "state", "channel", "cancel_reason", "resolution_code", "detected_by", "occurred_at", "detected_at",
    "reported_at", "is_drill", "is_imported", "recurrence_of_id", "reassignment_count", "team_id", "service_id",
    "category_id", "priority", "requester_id", "parent_id",
    "is_restricted",
)  # fmt: skip

_NEWEST = """
select about_id, max(id) from audit_event
where about_type = %s and about_id = any(%s) group by about_id
"""
_EVENTS = """
select about_id, kind, at, actor_kind, on_behalf_of, data from audit_event
where about_type = %s and about_id = any(%s) and kind = any(%s) order by about_id, id
"""
_EFFORT = """
select c.incident_id, c.cycle, c.state, c.elapsed_s, coalesce(p.definition ->> 'on_reopen', 'resume')
from sla_clock c left join sla_policyversion p on p.id = c.policy_version_id
where c.target = 'resolve' and c.incident_id = any(%s) order by c.incident_id, c.cycle
"""

Tiers = Callable[[int, datetime], "int | None"]


def zone() -> zoneinfo.ZoneInfo:
    """The zone whose days the numbers are counted by."""
    return zoneinfo.ZoneInfo(settings.SERVICEDESK_REPORT_ZONE)


def day_of(at: datetime) -> date:
    return at.astimezone(zone()).date()


def tiers() -> Tiers:
    """The tier of a team at a moment, from its history: a team that moves up later changes no past number."""
    history: Any = Team.history
    known: dict[int, list[tuple[datetime, int]]] = collections.defaultdict(list)
    for pk, tier, since in history.order_by("id", "version").values_list("id", "tier", "history_date"):
        known[pk].append((since, tier))
    now = dict(Team.objects.values_list("pk", "tier"))

    def tier_at(team: int, at: datetime) -> int | None:
        versions = known.get(team)
        if not versions:
            return now.get(team)
        # Before its first version, as in imported history, a team had the tier that it was made with.
        return next((tier for since, tier in reversed(versions) if since <= at), versions[0][1])

    return tier_at


def facts_of(ids: Iterable[int], tier_at: Tiers) -> list[Fact]:
    """The facts of those incidents that count at all, as everything recorded says now; recurrence comes apart.

    Read in this order without locks: what is recorded in between has a newer event than the one noted here.
    """
    wanted = sorted(ids)
    newest, events, efforts = _newest(wanted), _events(wanted), _efforts(wanted)
    rows = Incident.objects.filter(pk__in=wanted).order_by("pk").values(*_FIELDS)
    return [
        _fact(row, newest[row["pk"]], events[row["pk"]], efforts.get(row["pk"], ()), tier_at)
        for row in rows
        if row["pk"] in newest and not row["is_restricted"]
    ]


def _newest(ids: Sequence[int]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [INCIDENT, list(ids)])
        return dict(cursor.fetchall())


def _events(ids: Sequence[int]) -> Mapping[int, list[Happened]]:
    found: dict[int, list[Happened]] = collections.defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, [INCIDENT, list(ids), list(KINDS)])
        for about, kind, at, actor, behalf, data in cursor.fetchall():
            by_person = actor == ActorKind.PERSON.value or bool(behalf)
            found[about].append(Happened(kind, at, by_person, _read(data)))
    return found


def _read(data: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(data) if isinstance(data, str) else data
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Cycle:
    state: str
    elapsed_s: int
    on_reopen: str


def _efforts(ids: Sequence[int]) -> dict[int, list[_Cycle]]:
    found: dict[int, list[_Cycle]] = collections.defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_EFFORT, [list(ids)])
        for incident, _cycle, state, elapsed, on_reopen in cursor.fetchall():
            found[incident].append(_Cycle(state, elapsed, on_reopen))
    return found


def _effort(folded: Folded, cycles: Sequence[_Cycle]) -> Value:
    if folded.base is not Why.COUNTED:
        return Value(None, folded.base)
    if not cycles:
        return Value(None, Why.NO_SLA)
    if folded.resolved_at is None or cycles[-1].state in ("running", "paused"):
        return Value(None, Why.RUNNING)
    if cycles[-1].on_reopen == "restart":
        return Value(sum(one.elapsed_s for one in cycles))
    return Value(cycles[-1].elapsed_s)


def _fact(
    row: Mapping[str, Any], newest: int, happened: Sequence[Happened], cycles: Sequence[_Cycle], tier_at: Tiers
) -> Fact:
    given = Given(
        state=row["state"], channel=row["channel"], cancel_reason=row["cancel_reason"],
        resolution_code=row["resolution_code"], detected_by=row["detected_by"], occurred_at=row["occurred_at"],
        detected_at=row["detected_at"], reported_at=row["reported_at"], is_drill=row["is_drill"],
        is_imported=row["is_imported"], is_child=row["parent_id"] is not None,
        is_recurrence=row["recurrence_of_id"] is not None, reassignments=row["reassignment_count"],
    )  # fmt: skip
    folded = fold(given, happened, tier_at)
    fact = Fact(
        incident_id=row["pk"], through=newest, base=folded.base, reported_at=row["reported_at"],
        reported_on=day_of(row["reported_at"]),
        resolved_on=None if folded.resolved_at is None else day_of(folded.resolved_at),
        ended_at=folded.ended_at if folded.ended_at is None else max(folded.ended_at, row["reported_at"]),
        team_id=row["team_id"], service_id=row["service_id"], category_id=row["category_id"],
        priority=row["priority"], channel=row["channel"], is_return=given.is_recurrence,
        is_asked=row["requester_id"] is not None and not row["is_imported"],
    )  # fmt: skip
    values = {name: folded.values[name] for name in FOLDED} | {"effort": _effort(folded, cycles)}
    for name, one in values.items():
        setattr(fact, name, one.value)
        setattr(fact, f"{name}_why", int(one.why))
    return fact
