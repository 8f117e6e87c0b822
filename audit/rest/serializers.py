"""Serializers that refuse what they don't know: an unknown or read-only field is an error, never dropped."""

from __future__ import annotations

import datetime as dt
import difflib
import threading
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.validators import UniqueValidator

from audit.queries import fetch_each, fetch_one
from audit.rest.call import actor_of

#: Instants outside these years overflow somewhere between zone, driver and page.
EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)


class InstantField(serializers.DateTimeField):
    """An instant with its offset; one without is refused, because nobody can know which it means."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "naive": _("Give the offset from UTC, like 2026-03-02T09:00:00Z."),
        "range": _("Give a time between the years 1970 and 9000."),
    }

    def enforce_timezone(self, value: dt.datetime) -> dt.datetime:
        if value.tzinfo is None:
            self.fail("naive")
        return value

    def to_internal_value(self, value: Any) -> dt.datetime:
        instant: dt.datetime = super().to_internal_value(value)
        try:
            known = instant.astimezone(dt.UTC)
        except OverflowError:
            self.fail("range")
        if not EARLIEST <= known <= LATEST:
            self.fail("range")
        return known


class VisibleField(serializers.PrimaryKeyRelatedField[Any]):
    """A link in a body: what the caller may not see does not exist, as everywhere."""

    def get_queryset(self) -> Any:
        return self._narrowed(super().get_queryset())

    def sees_all(self) -> bool:
        """Whether every row of the table may be named here."""
        given: Any = vars(self).get("queryset")
        rows = given.all() if isinstance(given, models.Manager) else given
        return rows is not None and not rows.query.where and self._narrowed(rows) is rows

    @property
    def model(self) -> Any:
        return getattr(vars(self).get("queryset"), "model", None)

    def _narrowed(self, rows: Any) -> Any:
        """What the caller may see; the rows themselves where that is all of them."""
        request = self.context.get("request")
        visible_to = getattr(rows, "visible_to", None)
        return visible_to(actor_of(request)) if visible_to and request is not None else rows

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, float):
            self.fail("incorrect_type", data_type="number with a fraction")
        if type(data) is int:
            known = getattr(self.root, "_fetched", {}).get((self.model, data))
            if known is not None:
                return known
            if self.sees_all():
                return fetch_one(self.model, data) or self.fail("does_not_exist", pk_value=data)
        return super().to_internal_value(data)


_readers = threading.local()


class _Strict:
    """Names every field of the body that can't be taken, all at once."""

    @classmethod
    def parse(cls, data: Any, context: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a body; raises ValidationError as `is_valid` does.

        Each thread keeps one reader of a class, because making its fields costs more than reading with them.
        """
        reader: Any = getattr(_readers, f"{cls.__module__}.{cls.__qualname__}", None)
        if reader is None:
            reader = cls()
            setattr(_readers, f"{cls.__module__}.{cls.__qualname__}", reader)
        reader._context, reader._fetched = context, {}
        try:
            if isinstance(data, Mapping):
                reader._fetched = _fetched(reader, data)
            return dict(reader.run_validation(data))
        finally:
            reader._context, reader._fetched = {}, {}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            fields: Mapping[str, serializers.Field[Any, Any, Any, Any]] = self.fields  # type: ignore[attr-defined]
            errors = {
                str(name): [_refused(str(name), fields)]
                for name in data
                if name not in fields or fields[name].read_only
            }
            if errors:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)  # type: ignore[misc]


def _fetched(reader: Any, data: Mapping[Any, Any]) -> dict[tuple[Any, int], Any]:
    """The rows that the body links to, read together; what the caller may see of is left to each field."""
    links = [
        (field, data[name])
        for name, field in reader.fields.items()
        if isinstance(field, VisibleField) and type(data.get(name)) is int
    ]
    wanted = [(field.model, key) for field, key in links if field.sees_all()]
    found = fetch_each(wanted) if len(wanted) > 1 else []
    return {which: row for which, row in zip(wanted, found, strict=False) if row is not None}


def _refused(name: str, fields: Mapping[str, Any]) -> ErrorDetail:
    if name in fields:
        return ErrorDetail("This field is read-only.", code="read_only_field")
    writable = [one for one, field in fields.items() if not field.read_only]
    close = difflib.get_close_matches(name[:80], writable, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return ErrorDetail(f"There is no such field.{hint}", code="unknown_field")


class StrictSerializer(_Strict, serializers.Serializer[Any]):
    """The input of a verb, or what is shown of something."""


class StrictModelSerializer(_Strict, serializers.ModelSerializer[Any]):
    """What a model shows and takes. It never saves: the viewset hands its values to an action."""

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.DateTimeField: InstantField,
    }

    serializer_related_field = VisibleField

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        """Uniqueness is for the action to check, after the right to act: a stranger could ask here who exists."""
        made, options = super().build_standard_field(field_name, model_field)
        if "validators" in options:
            options["validators"] = [one for one in options["validators"] if not isinstance(one, UniqueValidator)]
        return made, options

    def build_relational_field(self, field_name: str, relation_info: Any) -> Any:
        """The same for links."""
        made, options = super().build_relational_field(field_name, relation_info)
        if "validators" in options:
            options["validators"] = [one for one in options["validators"] if not isinstance(one, UniqueValidator)]
        return made, options

    def get_unique_together_validators(self) -> list[Any]:
        return []

    def save(self, **kwargs: Any) -> Any:
        raise TypeError("a serializer parses; an action saves")


class EmptyInput(StrictSerializer):
    """A verb without input: an empty body or {}."""


class ErrorEntry(serializers.Serializer[Any]):
    """One cause of a refusal."""

    field = serializers.CharField(help_text="The field, as a path; empty when it is the whole.", allow_blank=True)
    cause = serializers.CharField()
    remedy = serializers.CharField(allow_blank=True)


class Problem(serializers.Serializer[Any]):
    """A refusal (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    errors = ErrorEntry(many=True)  # type: ignore[assignment]
    request_id = serializers.CharField()


class HistoryActor(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    on_behalf_of = serializers.CharField()


class HistoryEntry(serializers.Serializer[Any]):
    """One change: who, when, where, why, and each field old and new."""

    version = serializers.IntegerField()
    at = serializers.DateTimeField()
    change = serializers.ChoiceField(choices=["created", "changed", "removed"])
    actor = HistoryActor()
    channel = serializers.CharField()
    request_id = serializers.CharField()
    reason = serializers.CharField()
    changes = serializers.DictField(child=serializers.ListField())
