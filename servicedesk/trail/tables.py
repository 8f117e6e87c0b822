"""Which history tables there are, what each column is called, and which incident a row hangs on."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from django.db import connection, models

from audit.triggers.tables import tracked_models
from incidents.models import Incident

#: A row hangs on an incident over so many links at most (an entry of a section of a post-mortem of an incident).
DEEPEST = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Tracked:
    """A tracked model with its history table, all names as the models declare them."""

    model: type[models.Model]
    label: str
    table: str
    key: str
    columns: tuple[str, ...]

    @property
    def quoted(self) -> str:
        return connection.ops.quote_name(self.table)

    @property
    def history(self) -> Any:
        return self.model.history.model  # type: ignore[attr-defined]


@functools.cache
def all_tracked() -> dict[str, Tracked]:
    """Label -> tracked model, by label."""
    found = {}
    for model in sorted(tracked_models(), key=lambda one: one._meta.label_lower):
        history: Any = model.history.model  # type: ignore[attr-defined]
        columns = tuple(str(field.column) for field in history.tracked_fields)
        found[model._meta.label_lower] = Tracked(
            model, model._meta.label_lower, history._meta.db_table, str(model._meta.pk.column), columns
        )
    return found


@functools.cache
def is_configuration(label: str) -> bool:
    """Settings are what no incident owns: calendars, policies, matrices, teams, roles and the like."""
    model = all_tracked()[label].model
    return model is not Incident and not path_to_incident(model)


@functools.cache
def path_to_incident(model: type[models.Model], depth: int = DEEPEST) -> tuple[str, ...]:
    """The names of the links that lead to the incident of a row; empty where none does."""
    if model is Incident or depth == 0:
        return ()
    links = [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]
    for field in links:
        if field.related_model is Incident:
            return (field.name,)
    for field in links:
        if field.related_model is not model and (rest := path_to_incident(field.related_model, depth - 1)):
            return (field.name, *rest)
    return ()
