"""Field filters that refuse what they don't know or can't compare."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db import models
from django.http import QueryDict
from django_filters import rest_framework as django_filters
from django_filters.filterset import FilterSet
from rest_framework import exceptions


class WholeFilter(django_filters.Filter):
    """A whole number; the stock filter takes 1e999999999 and computes it."""

    field_class = forms.IntegerField


_WHOLE = (
    models.AutoField, models.BigAutoField, models.IntegerField, models.BigIntegerField, models.SmallIntegerField,
    models.PositiveIntegerField, models.PositiveSmallIntegerField, models.PositiveBigIntegerField,
)  # fmt: skip


class StrictFilterSet(FilterSet):
    """The base of every filter set of the API."""

    FILTER_DEFAULTS: ClassVar[dict[Any, Any]] = {
        **django_filters.FilterSet.FILTER_DEFAULTS,
        **{field: {"filter_class": WholeFilter} for field in _WHOLE},
    }

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        """Makes only the filters that are given: making the form of all of them costs more than the query."""
        if data is not None:
            every: dict[str, Any] = vars(type(self))["base_filters"]
            self.base_filters = {name: one for name, one in every.items() if name in data}
        super().__init__(data, *args, **kwargs)


class FieldFilters(django_filters.DjangoFilterBackend):
    """Filters by `filterset_fields` or `filterset_class`; a bad value is a 400 that names it."""

    filterset_base = StrictFilterSet


def refuse_unknown(given: QueryDict, known: set[str]) -> None:
    """A misspelt filter would otherwise show everything."""
    for name in sorted(set(given) - known):
        cause = f"There is no such parameter; known: {', '.join(sorted(known))}."
        raise exceptions.ValidationError({name[:80]: [exceptions.ErrorDetail(cause, "unknown_field")]})
