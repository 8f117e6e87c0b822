"""What changed on an incident while somebody typed, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from incidents.models import Incident

#: Moments that follow from another change by themselves and say nothing to the reader.
_SILENT = frozenset({"version", "idle_at", "close_due_at", "held_at", "search"})


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    field: str
    old: str
    new: str


def of(incident: Incident, diff: Mapping[str, list[Any]]) -> list[Change]:
    """The diff of a refused save, with the fields' and choices' own words."""
    found = []
    for name, (old, new) in diff.items():
        if name in _SILENT:
            continue
        try:
            field = incident._meta.get_field(name.removesuffix("_id"))
        except FieldDoesNotExist:
            continue
        if isinstance(field, models.Field):
            found.append(Change(str(field.verbose_name), _said(field, old), _said(field, new)))
    return found


def _said(field: models.Field[Any, Any], value: Any) -> str:
    if value in (None, ""):
        return "–"
    if isinstance(field, models.ForeignKey):
        return str(field.related_model._default_manager.filter(pk=value).first() or value)
    if isinstance(field, models.DateTimeField):
        moment = value if isinstance(value, datetime) else parse_datetime(str(value))
        return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}" if moment else str(value)
    text = str(dict(field.flatchoices).get(value, value))
    return text if len(text) <= 80 else f"{text[:80]}…"
