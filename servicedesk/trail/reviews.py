"""Who has which role since when and by whom, and how the settings stood at a moment."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from servicedesk.trail.queries import Change, differences, label_of
from servicedesk.trail.tables import all_tracked, is_configuration

_ACCESS = """
select g.id, u.id, u.name, u.email, u.is_active, r.name, g.granted_at, coalesce(nullif(b.name, ''), b.email, ''),
       coalesce((select string_agg(t.name || case when m.is_lead then ' *' else '' end, ', ' order by t.name)
                 from accounts_membership m join accounts_team t on t.id = m.team_id where m.user_id = u.id), ''),
       (select e.at from audit_event e where e.subject_type = 'accounts.user' and e.subject_id = u.id
        and e.kind = 'user.signed_in' order by e.id desc limit 1) as signed_in_at
from accounts_rolegrant g
join accounts_user u on u.id = g.user_id
join auth_group r on r.id = g.group_id
left join accounts_user b on b.id = g.granted_by_id
where g.id > %s and (%s = '' or r.name = %s)
order by g.id limit %s
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """A role that a person has."""

    grant: int
    user: int
    name: str
    email: str
    is_active: bool
    role: str
    granted_at: datetime
    granted_by: str
    teams: str
    signed_in_at: datetime | None


def access(role: str = "", after: int = 0, limit: int = 100) -> list[Access]:
    """Roles in the order in which they were granted; a star marks the teams that the person leads."""
    with connection.cursor() as cursor:
        cursor.execute(_ACCESS, [after, role, role, limit])
        return [Access(*row) for row in cursor.fetchall()]


def all_access(role: str = "") -> Iterator[Access]:
    after = 0
    while some := access(role, after, 500):
        yield from some
        after = some[-1].grant


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """An object that is not the same at both moments."""

    model: str
    model_name: str
    object: int
    label: str
    change: str
    changes: list[Change]


def configuration_labels() -> list[str]:
    """The tracked models that are settings."""
    return [label for label in all_tracked() if is_configuration(label) and label not in _PEOPLE]


#: People are many, and the trail shows them; their roles and teams are settings.
_PEOPLE = frozenset({"accounts.user", "notify.contact"})


def as_of(at: datetime, labels: list[str]) -> dict[tuple[str, int], dict[str, Any]]:
    """(model, object) -> the row as it stood at a moment, of every object that was there; one statement."""
    branches = []
    for label in labels:
        one = all_tracked()[label]
        branches.append(
            f"(select '{label}' as model, \"{one.key}\"::bigint as object, history_type, to_jsonb(x)::text from ("  # noqa: S608  # nosec B608: the models' own names
            f'select distinct on ("{one.key}") * from {one.quoted} where history_date <= %s '
            f'order by "{one.key}", version desc) x)'
        )
    if not branches:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(" union all ".join(branches), [at] * len(labels))
        rows = cursor.fetchall()
    return {(model, pk): json.loads(text) for model, pk, kind, text in rows if kind != "-"}


def compared(then: Mapping[tuple[str, int], Any], now: Mapping[tuple[str, int], Any]) -> list[Difference]:
    """What is not the same at the two moments."""
    found = []
    for which in sorted({*then, *now}):
        old, new = then.get(which, {}), now.get(which, {})
        model = all_tracked()[which[0]].model
        changes = differences(model, old, new)
        if changes or not old or not new:
            change = "changed" if old and new else "created" if new else "removed"
            label = label_of(model, which[1], new or old)
            found.append(Difference(which[0], str(model._meta.verbose_name), which[1], label, change, changes))
    return found
