"""Field filters that refuse what they don't know or can't compare."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db import models
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from django_filters import rest_framework as django_filters
from django_filters.filters import BooleanFilter
from django_filters.filterset import FilterSet
from rest_framework import exceptions

from audit.rest.call import actor_of


class YesOrNo(forms.Field):
    """`true` or `false`; the stock field takes anything else for "not asked" and shows everything."""

    _KNOWN: ClassVar[dict[str, bool]] = {"true": True, "1": True, "false": False, "0": False}

    def to_python(self, value: Any) -> bool | None:
        given = str(value or "").strip().lower()
        if given and given not in self._KNOWN:
            raise forms.ValidationError(_("Give true or false."), code="invalid")
        return self._KNOWN.get(given)


class VisibleChoiceFilter(django_filters.ModelChoiceFilter):
    """A link by its number. What the caller may not see is refused as what does not exist, so nobody learns which."""

    def get_queryset(self, request: Any) -> Any:
        rows = super().get_queryset(request)
        visible_to = getattr(rows, "visible_to", None)
        return visible_to(actor_of(request)) if visible_to and request is not None else rows


class WholeFilter(django_filters.Filter):
    """A whole number; the stock filter takes 1e999999999 and computes it."""

    field_class = forms.IntegerField


_WHOLE = (
    models.AutoField, models.BigAutoField, models.IntegerField, models.BigIntegerField, models.SmallIntegerField,
    models.PositiveIntegerField, models.PositiveSmallIntegerField, models.PositiveBigIntegerField,
)  # fmt: skip


_LINK = django_filters.FilterSet.FILTER_DEFAULTS[models.ForeignKey]


class StrictFilterSet(FilterSet):
    """The base of every filter set of the API."""

    FILTER_DEFAULTS: ClassVar[dict[Any, Any]] = {
        **django_filters.FilterSet.FILTER_DEFAULTS,
        **{field: {"filter_class": WholeFilter} for field in _WHOLE},
        models.ForeignKey: {**_LINK, "filter_class": VisibleChoiceFilter},
        models.OneToOneField: {**_LINK, "filter_class": VisibleChoiceFilter},
    }

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        """Makes only the filters that are given: making the form of all of them costs more than the query."""
        if data is not None:
            every: dict[str, Any] = vars(type(self))["base_filters"]
            self.base_filters = {name: one for name, one in every.items() if name in data}
        super().__init__(data, *args, **kwargs)

    @classmethod
    def get_filters(cls) -> dict[str, Any]:
        """Also those of a yes or no, however they came about, refuse what is neither."""
        found: dict[str, Any] = super().get_filters()
        for one in found.values():
            if isinstance(one, BooleanFilter):
                one.field_class = YesOrNo
                one.extra["widget"] = forms.TextInput
        return found


class FieldFilters(django_filters.DjangoFilterBackend):
    """Filters by `filterset_fields` or `filterset_class`; a bad value is a 400 that names it."""

    filterset_base = StrictFilterSet


def refuse_unknown(given: QueryDict, known: set[str]) -> None:
    """A misspelt filter would otherwise show everything."""
    for name in sorted(set(given) - known):
        cause = f"There is no such parameter; known: {', '.join(sorted(known))}."
        raise exceptions.ValidationError({name[:80]: [exceptions.ErrorDetail(cause, "unknown_field")]})
