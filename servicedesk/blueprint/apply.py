"""Writes the settings down, and takes a file over: what would change, and all of it or nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from accounts.roles import Role
from audit.actions import ActionRefused, Forbidden
from audit.actor import Actor
from servicedesk.blueprint import kinds, promises
from servicedesk.blueprint.kinds import Kind
from servicedesk.blueprint.text import UnreadableBlueprint, dump, load

#: In the order in which they lean on each other.
KINDS: tuple[Kind, ...] = (
    kinds.Organisations(), kinds.Sites(), kinds.Teams(), kinds.Categories(), kinds.Services(), kinds.Matrix(),
    promises.Calendars(), promises.SlaPolicies(), promises.Schedules(), promises.EscalationPolicies(),
    promises.PostmortemTemplates(),
)  # fmt: skip
#: Sections that hold one thing, not a list of them.
SINGLE = frozenset({"priority_matrix"})


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one row: created, changed or refused; what stays as it is makes none."""

    section: str
    key: str
    outcome: str
    fields: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    error: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """All changes of a file; `is_done` only when every one was made."""

    changes: list[Change]
    is_done: bool

    @property
    def refused(self) -> list[Change]:
        return [one for one in self.changes if one.outcome == "refused"]


class _Undone(Exception):
    """Takes back a dry run, or a file that was refused in part."""


def _refuse_strangers(by: Actor, roles: tuple[str, ...]) -> None:
    if not by.has_role(*roles):
        raise Forbidden(f"{by.label} may not do this with the settings", remedy="ask an administrator of the desk")


def export(by: Actor) -> str:
    """Every setting that a file holds, as YAML; for administrators and auditors."""
    _refuse_strangers(by, (Role.ADMIN, Role.AUDITOR))
    sections: dict[str, Any] = {kind.section: [_plain(kind.shown(row)) for row in kind.rows()] for kind in KINDS}
    return dump({name: (rows[0] if rows else {}) if name in SINGLE else rows for name, rows in sections.items()})


def _plain(value: Any) -> Any:
    """Only what YAML writes without tags."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int) else str(value)


def import_settings(*, content: bytes, by: Actor, at: datetime, dry_run: bool = True) -> Outcome:
    """Takes a file over by the actions of each kind; a dry run does the same and undoes it.

    What the file does not name stays. One refused row, and nothing is done. Raises UnreadableBlueprint for a file
    that can't be read, Forbidden for everybody but administrators.
    """
    _refuse_strangers(by, (Role.ADMIN,))
    wanted = _wanted(load(content))
    changes: list[Change] = []
    try:
        with transaction.atomic():
            for kind, rows in wanted:
                changes += [one for given in _ordered(kind, rows) if (one := _taken(kind, given, by, at))]
            if dry_run or any(one.outcome == "refused" for one in changes):
                raise _Undone
    except _Undone:
        return Outcome(changes, is_done=False)
    return Outcome(changes, is_done=True)


def _wanted(found: dict[str, Any]) -> list[tuple[Kind, list[dict[str, Any]]]]:
    if unknown := sorted(set(found) - {kind.section for kind in KINDS}):
        names = ", ".join(kind.section for kind in KINDS)
        raise UnreadableBlueprint(f"there is no section “{unknown[0]}”", place=unknown[0], remedy=f"one of {names}")
    return [(kind, list(_rows(kind, found[kind.section]))) for kind in KINDS if kind.section in found]


def _rows(kind: Kind, given: Any) -> Iterator[dict[str, Any]]:
    rows = [given] if kind.section in SINGLE and isinstance(given, dict) else given
    if not isinstance(rows, list):
        raise UnreadableBlueprint("this section is no list", place=kind.section)
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        place = f"{kind.section}, number {number}"
        if not isinstance(row, dict):
            raise UnreadableBlueprint("this is no mapping", place=place)
        if unknown := sorted(set(row) - {kind.key, *kind.fields}):
            known = ", ".join((kind.key, *kind.fields))
            raise UnreadableBlueprint(f"there is no field “{unknown[0]}”", place=place, remedy=f"one of {known}")
        key = row.get(kind.key)
        if not isinstance(key, str) or not key.strip():
            raise UnreadableBlueprint(f"“{kind.key}” is missing", place=place, remedy="it says which one is meant")
        if key in seen:
            raise UnreadableBlueprint(f"“{key}” stands there twice", place=place, remedy="remove one")
        seen.add(key)
        yield row


def _ordered(kind: Kind, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row after the one that it leans on; a circle is left to the action to refuse."""
    if not kind.leans_on:
        return sorted(rows, key=lambda row: str(row[kind.key]).count(kinds.SEPARATOR))
    by_key, done = {row[kind.key]: row for row in rows}, dict[str, dict[str, Any]]()

    def visit(row: dict[str, Any], above: tuple[str, ...]) -> None:
        key, first = row[kind.key], row.get(kind.leans_on)
        if first in by_key and first not in done and first not in (*above, key):
            visit(by_key[first], (*above, key))
        done.setdefault(key, row)

    for row in rows:
        visit(row, ())
    return list(done.values())


def _taken(kind: Kind, given: dict[str, Any], by: Actor, at: datetime) -> Change | None:
    """Saves one row, in a savepoint, so that the rows behind a refused one are judged too."""
    given = kind.whole(given)
    key = str(given[kind.key])
    row = kind.find(key)
    before = _plain(kind.shown(row)) if row is not None else {}
    fields = {name: [before.get(name), value] for name, value in given.items() if before.get(name) != value}
    if row is not None and not fields:
        return None
    changed = {name: given[name] for name in fields} if row is not None else dict(given)
    try:
        with transaction.atomic():
            kind.save(row, changed, by, at)
    except ActionRefused as refusal:
        return _refused(kind, key, fields, refusal.field, refusal.detail, refusal.remedy)
    except (DatabaseError, ValidationError, TypeError, ValueError, AttributeError, KeyError) as error:
        # A value of a kind that no form would send: the database or the model says what is wrong with it.
        return _refused(kind, key, fields, "", str(error).splitlines()[0][:200], "correct the value")
    return Change(kind.section, key, "changed" if row is not None else "created", fields)


def _refused(kind: Kind, key: str, fields: dict[str, list[Any]], field: str, cause: Any, remedy: Any) -> Change:
    error = {"field": field, "cause": str(cause), "remedy": str(remedy)}
    return Change(kind.section, key, "refused", fields, error)
