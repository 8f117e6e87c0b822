"""The people, teams and rules that a log speaks of, made once before its incidents and found again on the next run."""

from __future__ import annotations

import dataclasses
import sqlite3
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.text import slugify

import incidents.actions
from accounts.models import Organisation, Team, User
from accounts.roles import Role
from audit.actions import ActionRefused, create_config
from audit.actor import Actor, ActorKind
from audit.context import acting
from incidents.models import Category, PriorityMatrix
from sla.models import Calendar, SlaPolicy

#: The import may do what the log says was done; it is nobody's person, so it acknowledges nothing.
IMPORTER = Actor(
    kind=ActorKind.JOB,
    id="replay",
    label="import",
    roles=frozenset({Role.ADMIN.value, Role.INCIDENT_MANAGER.value}),
)
ORGANISATION = "Imported event log"
UNSORTED = "Imported, unsorted"
#: Stands for a caller that the log does not know, so that every imported incident belongs to the organisation.
UNKNOWN_CALLER = "Unknown caller"
#: What no password hashes to: nobody signs in as a person of a log.
UNUSABLE = "!"
#: The log's own matrix, counted in it: impact x urgency; 1/3 never occurs and is taken as 3.
MATRIX = [[1, 2, 3], [2, 3, 4], [3, 4, 4]]
#: Hours that the log's SLA allows, by final priority, in a Monday to Friday 24-hour calendar, stopped at closing.
BUDGET_SECONDS = {"3": 554_040, "4": 1_244_160}


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """Ids by the log's own names."""

    organisation: Organisation
    matrix: PriorityMatrix
    teams: dict[str, Team]
    people: dict[str, User]
    categories: dict[tuple[str, str], Category]


def _names(link: sqlite3.Connection, column: str) -> list[str]:
    found = link.execute(
        "select distinct trim(json_extract(payload, ?)) from row where json_extract(payload, ?) not in ('', '?')",
        (f"$.{column}", f"$.{column}"),
    )
    return sorted(str(name)[:200] for (name,) in found)


def _address(name: str) -> str:
    return f"{slugify(name) or 'x' + name.encode().hex()[:40]}@import.invalid"


def _people(names: list[str], organisation: Organisation) -> None:
    known = set(User.objects.filter(email__endswith="@import.invalid").values_list("email", flat=True))
    fresh = {address: name for name in names if (address := _address(name)) not in known}
    User.objects.bulk_create(
        [
            User(email=address, name=name, password=UNUSABLE, organisation=organisation)
            for address, name in fresh.items()
        ],
        batch_size=1000,
    )


def _teams(names: list[str]) -> None:
    known = set(Team.objects.values_list("name", flat=True))
    fresh = [name for name in names if name not in known]
    Team.objects.bulk_create([Team(name=name, slug=f"import-{slugify(name)}"[:80], tier=2) for name in fresh])


def _categories(link: sqlite3.Connection) -> None:
    root, _created = Category.objects.get_or_create(name=UNSORTED, parent=None)
    pairs = link.execute(
        "select distinct trim(json_extract(payload, '$.category')), trim(json_extract(payload, '$.subcategory')) "
        "from row"
    ).fetchall()
    tops = sorted({top for top, _sub in pairs if top not in (None, "", "?")})
    known = {one.name: one for one in Category.objects.filter(parent=root)}
    for name in tops:
        if name not in known:
            known[name] = Category.objects.create(name=name, parent=root)
    below = {(one.parent_id, one.name) for one in Category.objects.filter(parent__in=known.values())}
    Category.objects.bulk_create(
        Category(name=sub, parent=known[top])
        for top, sub in sorted((str(a), str(b)) for a, b in pairs if a in known and b not in (None, "", "?"))
        if (known[top].pk, sub) not in below
    )


def _rules(organisation: Organisation, at: datetime) -> None:
    """The calendar and policy that the log's own SLA followed, in front of the desk's policies."""
    calendar = Calendar.objects.filter(name=ORGANISATION).first()
    if calendar is None:
        day = [["00:00", "24:00"]]
        week = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), day)
        calendar = create_config(
            model=Calendar, values={"name": ORGANISATION, "zone": "UTC", "week": week}, by=IMPORTER, at=at
        )
    if not SlaPolicy.objects.filter(name=ORGANISATION).exists():
        first = SlaPolicy.objects.order_by("position").values_list("position", flat=True).first()
        if first == 0:
            raise ActionRefused(
                "an SLA policy stands at position 0, so the log's own can't go before it",
                remedy="move that policy to a later position",
            )
        values: dict[str, Any] = {
            "name": ORGANISATION,
            "position": 0,
            "organisations": [organisation.pk],
            "calendar": calendar,
            "targets": {"resolve": BUDGET_SECONDS},
            "pause_reasons": {"resolve": []},
            "resolve_stops_at": "closed",
            "thresholds": [{"percent": 100, "actions": []}],
            "on_breach": [],
        }
        create_config(model=SlaPolicy, values=values, by=IMPORTER, at=at)


def build(link: sqlite3.Connection, at: datetime) -> None:
    """Makes what is missing; running it again makes nothing."""
    with transaction.atomic(), acting(IMPORTER, reason="import of an event log"):
        organisation, _created = Organisation.objects.get_or_create(name=ORGANISATION)
        _people(sorted({*_names(link, "caller_id"), *_names(link, "assigned_to"), UNKNOWN_CALLER}), organisation)
        _teams(_names(link, "assignment_group"))
        _categories(link)
        _rules(organisation, at)
        if not PriorityMatrix.objects.filter(name=ORGANISATION).exists():
            incidents.actions.change_matrix(name=ORGANISATION, rows=MATRIX, is_current=False, by=IMPORTER, at=at)


def found() -> World:
    """What `build` made, by the log's names."""
    tops = {one.pk: one.name for one in Category.objects.filter(parent__name=UNSORTED)}
    categories = {
        (tops[one.parent_id], one.name): one for one in Category.objects.filter(parent__in=tops) if one.parent_id
    }
    categories |= {(one.name, ""): one for one in Category.objects.filter(pk__in=tops)}
    return World(
        organisation=Organisation.objects.get(name=ORGANISATION),
        matrix=PriorityMatrix.objects.get(name=ORGANISATION),
        teams={one.name: one for one in Team.objects.all()},
        people={one.name: one for one in User.objects.filter(email__endswith="@import.invalid")},
        categories=categories,
    )
