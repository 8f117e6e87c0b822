"""The append-only event log, the deliveries that are owed, and the base of every row that a person can change."""

from __future__ import annotations

import copy
import functools
from collections.abc import Collection, Iterable
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import DatabaseError, models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from audit.context import stamp
from audit.texts import is_blank, without_bidi

#: The hash format of the history; its name is part of every hash (docs/adr/0001-history-hash.md).
FORMAT = "servicedesk.history.1"
#: SQLSTATEs of the triggers' refusals.
STALE, ILLEGAL_STATE, APPEND_ONLY = "SD001", "SD002", "SD003"

FieldT = TypeVar("FieldT", bound=models.Field)


def personal(field: FieldT) -> FieldT:
    """Declares that a field holds personal data: erasure and export walk these declarations, and history commits
    to the value by a salted hash instead of showing it to the proof."""
    field.personal = True  # type: ignore[attr-defined]
    return field


class HistoryRow(models.Model):
    """What every history row carries beside simple-history's columns; all of it is written by the trigger.

    `version` is gapless per object. The hash covers the exact stored bytes (docs/adr/0001-history-hash.md).
    """

    version = models.BigIntegerField()
    schema_version = models.IntegerField()
    xid = models.BigIntegerField()
    actor_kind = models.TextField()
    actor_id = models.TextField()
    actor_label = models.TextField()
    on_behalf_of = models.TextField()
    actor_channel = models.TextField()
    request_id = models.TextField()
    salts = models.JSONField()
    commitments = models.JSONField()
    prev_hash = models.BinaryField(null=True)
    row_hash = models.BinaryField()

    class Meta:
        abstract = True


class Records(HistoricalRecords):
    """simple-history's tables and views with the row's own version; the rows themselves are written by triggers.

    Copied columns carry no index: (object, version) finds an object's history, and each index makes every save dearer.
    """

    def fields_included(self, model: type[models.Model]) -> list[Any]:
        return [field for field in super().fields_included(model) if not getattr(field, "generated", False)]

    def copy_fields(self, model: type[models.Model]) -> dict[str, Any]:
        fields: dict[str, Any] = super().copy_fields(model)
        own = {field.name for field in HistoryRow._meta.local_fields}
        if clash := sorted(own & {field.column for field in self.fields_included(model)}):
            raise ImproperlyConfigured(f"{model._meta.label}: history has columns of its own named {', '.join(clash)}")
        for field in fields.values():
            field.db_index = False
        return fields

    def get_meta_options(self, model: type[models.Model]) -> dict[str, Any]:
        options: dict[str, Any] = super().get_meta_options(model)
        name = f"{model._meta.app_label}_{model._meta.model_name}_version_once"
        options["constraints"] = [models.UniqueConstraint(fields=[model._meta.pk.attname, "version"], name=name)]
        return options

    def get_extra_fields(self, model: type[models.Model], fields: dict[str, Any]) -> dict[str, Any]:
        extra: dict[str, Any] = super().get_extra_fields(model, fields)
        instance = extra["instance"].fget

        def versioned(row: Any) -> Any:
            result = instance(row)
            result.version = row.version
            return result

        def neighbour(row: Any, step: int) -> Any:
            key = model._meta.pk.attname
            return type(row)._default_manager.filter(**{key: getattr(row, key), "version": row.version + step}).first()

        return extra | {
            "instance": property(versioned),
            "next_record": property(lambda row: neighbour(row, 1)),
            "prev_record": property(lambda row: neighbour(row, -1)),
        }

    def create_history_model(self, model: type[models.Model], inherited: bool) -> Any:
        made = super().create_history_model(model, inherited)
        # The row knows its version: without this, each instance of the past would ask the live row for it.
        made._history_excluded_fields = [name for name in self.excluded_fields if name != "version"]
        return made

    def _get_history_user_fields(self) -> dict[str, Any]:
        user = models.ForeignKey(
            settings.AUTH_USER_MODEL,
            null=True,
            related_name="+",
            on_delete=models.DO_NOTHING,  # removing a user must not touch the trail
            db_constraint=False,
        )
        return {"history_user": user}


def records(*, exclude: Iterable[str] = ()) -> Records:
    """The history of a model; fields in `exclude` are neither shown nor proven (caches, last-used marks)."""
    return Records(
        bases=[HistoryRow],
        excluded_fields=["version", *exclude],
        history_id_field=models.BigAutoField(),
        history_change_reason_field=models.TextField(null=True),
    )


class StaleRow(DatabaseError):
    """A save met a newer version of its row; nothing was written. Actions show it as `Stale`."""


def _kept(value: Any) -> Any:
    """JSON values are copied: a change inside a list or mapping would otherwise change what it is compared with."""
    return copy.deepcopy(value) if isinstance(value, (dict, list)) else value


@functools.cache
def tracked_names(model: type[models.Model]) -> frozenset[str]:
    """The attributes that the model's history shows; all of them where it has none."""
    history = getattr(model, "history", None)
    fields = model._meta.concrete_fields if history is None else history.model.tracked_fields
    return frozenset(field.attname for field in fields) - {"version"}


class Tracked(models.Model):
    """Base of every row that a person can change: `version` is the ETag, counted here and checked by the trigger.

    A save that changes nothing writes nothing, so it makes no history row and no new version. A save that changes only
    fields outside the history keeps the version.
    """

    version = models.BigIntegerField(default=1, editable=False)

    #: Whether `audit.queries.kept` may remember rows for as long as no row of the table changes: small tables only.
    is_kept: ClassVar[bool] = False

    #: Roles that may create, change and remove rows of this model by the generic configuration actions.
    configured_by: ClassVar[frozenset[str]] = frozenset({"admin"})

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.is_kept:
            stamp.set(None)
        named = kwargs.get("update_fields")
        if self._state.adding:
            super().save(*args, **kwargs)
            self._remember()
            return
        changed = self._written(named)
        known = hasattr(self, "_loaded")
        if known and not changed:
            return
        step = int(not known or not tracked_names(type(self)).isdisjoint(changed))
        if named is not None and step:
            named = kwargs["update_fields"] = {*named, "version"}
        self.version += step
        self._expected = self.version - step
        try:
            super().save(*args, **kwargs)
        except BaseException:
            self.version -= step
            raise
        finally:
            del self._expected
        self._remember(named)

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Also takes controls of direction out of what is one line, and refuses a text that shows nothing."""
        errors: dict[str, Any] = {}
        for field in self._meta.concrete_fields:
            value = self.__dict__.get(field.attname)
            if not isinstance(value, str) or not value or not isinstance(field, models.CharField | models.TextField):
                continue
            if isinstance(field, models.CharField) and (plain := without_bidi(value)) != value:
                setattr(self, field.attname, value := plain)
            if not field.blank and is_blank(value) and field.name not in (exclude or ()):
                errors[field.name] = [_("This text shows nothing: give one that can be read.")]
        try:
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)

    @classmethod
    def from_db(  # type: ignore[override]  # the stubs know a later Django's arguments
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> Any:
        instance = super().from_db(db, field_names, values)
        instance._remember()
        return instance

    def _remember(self, names: Collection[str] | None = None) -> None:
        """Notes what the database holds; `names` limits it to the fields (or attributes) that were read or written."""
        here = self.__dict__
        if names is None:
            here["_loaded"] = {}
        loaded: dict[str, Any] = here.setdefault("_loaded", {})
        for field in self._meta.concrete_fields:
            if field.attname in here and (names is None or field.name in names or field.attname in names):
                loaded[field.attname] = _kept(here[field.attname])

    def changed_fields(self) -> dict[str, tuple[Any, Any]]:
        """Attribute name -> (value as loaded, value now) of what would be written."""
        loaded: dict[str, Any] = getattr(self, "_loaded", {})
        return {
            name: (loaded[name], self.__dict__[name])
            for name in loaded
            if name != "version" and name in self.__dict__ and self.__dict__[name] != loaded[name]
        }

    def _written(self, named: Iterable[str] | None) -> set[str]:
        """The attributes that this save would change."""
        changed = set(self.changed_fields())
        if named is None:
            return changed
        known = {field.name: field.attname for field in self._meta.concrete_fields}
        return changed & {known.get(name, name) for name in named}

    def _do_update(self, base_qs: Any, using: Any, pk_val: Any, values: Any, *args: Any) -> Any:
        """Updates only the version that was loaded: a trigger alone can't tell one step behind from `update()`."""
        expected = self.__dict__.get("_expected")
        if expected is None or not values:
            return super()._do_update(base_qs, using, pk_val, values, *args)
        if super()._do_update(base_qs.filter(version=expected), using, pk_val, values, *args):
            return True
        if base_qs.filter(pk=pk_val).exists():
            raise StaleRow(f"{self._meta.label} {pk_val}: version {expected} is no longer the current one")
        return False

    def refresh_from_db(  # type: ignore[override]  # a Django 5.2 argument more or less passes through
        self, using: str | None = None, fields: Iterable[str] | None = None, **kwargs: Any
    ) -> None:
        """Also forgets what was loaded before, so that the next save compares with what the database holds now."""
        names = None if fields is None else list(fields)
        super().refresh_from_db(using, names, **kwargs)
        self._remember(names)


class Event(models.Model):
    """One thing that happened, append-only: the timeline, the input of metrics, and the outbox of handlers.

    `subject` is what it happened to, `about` the object on whose timeline it stands (a page's incident).
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField()
    subject_type = models.TextField()
    subject_id = models.BigIntegerField()
    about_type = models.TextField()
    about_id = models.BigIntegerField()
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=models.Func(function="clock_timestamp"))
    actor_kind = models.TextField()
    actor_id = models.TextField()
    actor_label = models.TextField()
    on_behalf_of = models.TextField(default="")
    channel = models.TextField()
    request_id = models.TextField(default="")
    reason = models.TextField(default="")
    data = models.JSONField(default=dict)

    #: Read by audit.triggers: the database refuses UPDATE, DELETE and TRUNCATE, the owner's too.
    append_only: ClassVar[bool] = True

    class Meta:
        indexes = [
            models.Index(fields=["about_type", "about_id", "id"], name="audit_event_about"),
            models.Index(fields=["subject_type", "subject_id", "id"], name="audit_event_subject"),
            models.Index(fields=["kind", "at"], name="audit_event_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_type}#{self.subject_id}"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def open(self) -> DeliveryQuerySet:
        return self.filter(done_at=None, given_up_at=None)


class Delivery(models.Model):
    """An event that a handler still owes work for, because it failed or is deferred; a sweep retries it."""

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="+")
    handler = models.TextField()
    attempts = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    last_error = models.TextField(default="")
    created_at = models.DateTimeField(db_default=models.Func(function="clock_timestamp"))
    done_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "handler"], name="audit_delivery_once")]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(done_at=None) & Q(given_up_at=None),
                name="audit_delivery_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.handler} of event {self.event_id}"


class UnattributedWrite(models.Model):
    """The alarm of a write that no action attributed: recorded by the trigger, shown by /readyz and doctor."""

    model = models.TextField()
    object_id = models.TextField()
    object_version = models.BigIntegerField()
    role = models.TextField()
    at = models.DateTimeField(db_default=models.Func(function="clock_timestamp"))

    append_only: ClassVar[bool] = True

    class Meta:
        indexes = [models.Index(fields=["at"], name="audit_unattributed_at")]

    def __str__(self) -> str:
        return f"{self.model}#{self.object_id} v{self.object_version} by {self.role}"


class HistorySchema(models.Model):
    """Which columns, in which order and form, the hash of a history row covers; a changed table adds a version.

    Old rows keep the number of the version that they were written under, so they stay verifiable.
    """

    model = models.TextField()
    schema_version = models.IntegerField()
    columns = models.JSONField()
    created_at = models.DateTimeField(db_default=models.Func(function="clock_timestamp"))

    append_only: ClassVar[bool] = True

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "schema_version"], name="audit_history_schema_once")]

    def __str__(self) -> str:
        return f"{self.model} schema {self.schema_version}"


class IdempotencyKey(models.Model):
    """The answer given to a request with an Idempotency-Key, stored in the action's own transaction, for 24 hours."""

    principal = models.TextField()
    route = models.TextField()
    key = models.TextField()
    body_hash = models.BinaryField()
    status = models.IntegerField()
    answer = models.JSONField(null=True)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["principal", "route", "key"], name="audit_idempotency_once")]
        indexes = [models.Index(fields=["created_at"], name="audit_idempotency_age")]

    def __str__(self) -> str:
        return f"{self.principal} {self.route} {self.key}"


__all__ = [
    "Delivery", "Event", "HistoryRow", "HistorySchema", "IdempotencyKey", "StaleRow", "Tracked", "UnattributedWrite",
    "personal", "records",
]  # fmt: skip
