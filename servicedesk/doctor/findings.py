"""What the doctor finds: how bad, what, on which objects, and where to mend it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from django.urls import reverse

#: So many objects are named; the rest is a number.
MOST_NAMES = 10


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at; errors and warnings make the command end non-zero, notes do not."""

    check: str
    level: Level
    text: str
    link: str
    count: int
    names: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "level": str(self.level), "text": str(self.text), "names": list(self.names)}


def list_of(model: Any, query: str = "") -> str:
    """The admin's list of a model."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") + query


def page_of(row: Any) -> str:
    """The admin's page of a row."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def about(check: str, level: Level, text: Any, rows: Iterable[Any], link: str = "") -> list[Finding]:
    """One finding for all the rows that share a trouble, none when there are none; one row is linked itself."""
    found = list(rows)
    if not found:
        return []
    where = page_of(found[0]) if len(found) == 1 and hasattr(found[0], "_meta") else link
    where = where or list_of(type(found[0]))
    names = tuple(str(one) for one in found[:MOST_NAMES])
    return [Finding(check, level, str(text), where, len(found), names)]
