"""The append-only event log, the deliveries that are owed, and the base of every row that a person can change."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, TypeVar

from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

FieldT = TypeVar("FieldT", bound=models.Field)  # type: ignore[type-arg]


def personal(field: FieldT) -> FieldT:
    """Declares that a field holds personal data: erasure and export walk these declarations, and history commits
    to the value by a salted hash instead of showing it to the proof."""
    field.personal = True  # type: ignore[attr-defined]
    return field


class HistoryRow(models.Model):
    """What every history row carries beside simple-history's columns; all of it is written by the trigger.

    `version` is gapless per object. The hash covers the exact stored bytes (see audit.triggers for the format).
    """

    version = models.BigIntegerField()
    schema_version = models.IntegerField()
    xid = models.BigIntegerField()
    actor_kind = models.TextField()
    actor_id = models.TextField()
    actor_label = models.TextField()
    on_behalf_of = models.TextField()
    channel = models.TextField()
    request_id = models.TextField()
    salts = models.JSONField()
    commitments = models.JSONField()
    prev_hash = models.BinaryField(null=True)
    row_hash = models.BinaryField()

    class Meta:
        abstract = True


def records(*, exclude: Iterable[str] = ()) -> HistoricalRecords:
    """The history of a model; fields in `exclude` are neither shown nor proven (caches, last-used marks)."""
    return HistoricalRecords(
        bases=[HistoryRow],
        excluded_fields=["version", *exclude],
        user_db_constraint=False,
        history_change_reason_field=models.TextField(null=True),
    )


class Tracked(models.Model):
    """Base of every row that a person can change: `version` is the ETag, counted here and checked by the trigger.

    A save that changes nothing writes nothing, so it makes no history row and no new version.
    """

    version = models.BigIntegerField(default=1, editable=False)

    #: Roles that may create, change and remove rows of this model by the generic configuration actions.
    configured_by: ClassVar[frozenset[str]] = frozenset({"admin"})

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any]) -> Any:
        instance = super().from_db(db, field_names, values)
        instance._loaded = dict(zip(field_names, values, strict=False))
        return instance

    def changed_fields(self) -> dict[str, tuple[Any, Any]]:
        """Attribute name -> (value as loaded, value now) of what would be written."""
        loaded: dict[str, Any] = getattr(self, "_loaded", {})
        return {
            name: (loaded[name], self.__dict__[name])
            for name in loaded
            if name != "version" and name in self.__dict__ and self.__dict__[name] != loaded[name]
        }

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._state.adding:
            super().save(*args, **kwargs)
        else:
            if hasattr(self, "_loaded") and not self.changed_fields():
                return
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "version"}
            self.version += 1
            try:
                super().save(*args, **kwargs)
            except BaseException:
                self.version -= 1
                raise
        self._loaded = {
            field.attname: self.__dict__[field.attname]
            for field in self._meta.concrete_fields
            if field.attname in self.__dict__
        }


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

    def __str__(self) -> str:
        return f"{self.model}#{self.object_id} v{self.object_version} by {self.role}"


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


__all__ = ["Delivery", "Event", "HistoryRow", "IdempotencyKey", "Tracked", "UnattributedWrite", "personal", "records"]
