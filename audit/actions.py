"""The frame of every change: the `action` decorator, `record()`, refusals, and the generic configuration actions."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar, overload

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, models, transaction

from audit.actor import Actor
from audit.context import acting, current_entry, is_acting, restore
from audit.events import AuditEvent
from audit.models import STALE, Delivery, Event, StaleRow, Tracked
from audit.queries import as_json, changes_since, planned
from audit.subscriptions import Recorded, Subscription, declared_kinds, subject_key, subscriptions_to

P = ParamSpec("P")
R = TypeVar("R")


class ActionRefused(Exception):
    """A refusal that the caller can act on: what, why, and the way out. Shown as 409 unless the class says other."""

    status = 409
    code = "refused"
    #: The way out where the refusal names none of its own.
    usual_remedy = ""

    def __init__(self, detail: str, *, field: str = "", remedy: str = "", **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.remedy = remedy or self.usual_remedy
        self.extra = extra


class Forbidden(ActionRefused):
    """The actor may see the object but not do this."""

    status = 403
    code = "forbidden"


class Invalid(ActionRefused):
    """A value that can't be taken; `field` names it."""

    status = 400
    code = "invalid"
    usual_remedy = "correct the value"


class Stale(ActionRefused):
    """Somebody else saved first; `diff` holds field -> [value the caller saw or sent, value now]."""

    status = 412
    code = "stale"


_RELOAD = "load it again, look at what changed, and repeat the change"


@overload
def action(func: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def action(*, joins: bool) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def action(func: Callable[P, R] | None = None, /, *, joins: bool = False) -> Any:
    """Makes a function an action: keyword-only with `by=` and `at=`, atomic, its writes attributed to `by`.

    One that `joins` takes no savepoint inside another action: its failure is the other's too, who may not catch it.
    For what handlers and other actions call on every change, where a savepoint costs two statements and gives nothing.
    """
    return _made(func, joins) if func is not None else lambda given: _made(given, joins)


def _made(func: Callable[P, R], joins: bool) -> Callable[P, R]:
    parameters = inspect.signature(func).parameters
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    if any(one.kind not in named for one in parameters.values()):
        raise TypeError(f"{func.__qualname__}: an action takes keyword-only arguments")
    if not {"by", "at"} <= set(parameters):
        raise TypeError(f"{func.__qualname__}: an action takes by= and at=")

    @functools.wraps(func)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        by, reason = kwargs.get("by"), kwargs.get("reason") or ""
        if not isinstance(by, Actor):
            raise TypeError(f"{func.__qualname__}: by= must be an Actor")
        if joins and is_acting(by, str(reason)):
            return _joined(func, *args, **kwargs)
        try:
            with transaction.atomic(savepoint=not (joins and is_acting())), acting(by, reason=str(reason)):
                return func(*args, **kwargs)
        except DatabaseError as error:
            if isinstance(error, StaleRow) or getattr(error.__cause__, "sqlstate", "") == STALE:
                raise Stale(str(error).splitlines()[0], remedy=_RELOAD) from error
            raise

    run.is_action = True  # type: ignore[attr-defined]
    return run


def _joined(func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Runs as a part of the action under way; as in a block without a savepoint, a failure leaves nothing to commit."""
    try:
        return func(*args, **kwargs)
    except BaseException:
        transaction.set_rollback(True)
        raise


def record(
    kind: str,
    subject: models.Model,
    by: Actor,
    at: datetime,
    *,
    about: models.Model | None = None,
    reason: str = "",
    **data: Any,
) -> Event:
    """Appends one event in the running transaction and runs its handlers; refuses undeclared kinds and naive times."""
    told = _prepare(kind, subject, subject if about is None else about, by, at, reason, data)
    values = {**_columns(told), "at": at, **_origin(by, reason)}
    with planned() as cursor:
        cursor.execute(_RECORD, {**values, "data": as_json(data)})
        event = Event(**values, id=cursor.fetchone()[0], data=data)
    event._state.adding = False
    _tell(dataclasses.replace(told, event_id=event.id))
    return event


#: So many events share one savepoint when they are told together; PostgreSQL slows down past 64 of them.
_TOLD_TOGETHER = 50

_RECORD = """
insert into audit_event (kind, subject_type, subject_id, about_type, about_id, data, at, actor_kind, actor_id,
    actor_label, on_behalf_of, channel, request_id, reason)
values (%(kind)s, %(subject_type)s, %(subject_id)s, %(about_type)s, %(about_id)s, %(data)s::jsonb, %(at)s,
    %(actor_kind)s, %(actor_id)s, %(actor_label)s, %(on_behalf_of)s, %(channel)s, %(request_id)s, %(reason)s)
returning id
"""

# The rows travel as one JSON value: bulk_create spends more time on placeholders than the database on the rows.
_RECORD_ALL = """
insert into audit_event (kind, subject_type, subject_id, about_type, about_id, data, at, actor_kind, actor_id,
    actor_label, on_behalf_of, channel, request_id, reason)
select kind, subject_type, subject_id, about_type, about_id, data, %(at)s, %(actor_kind)s, %(actor_id)s,
    %(actor_label)s, %(on_behalf_of)s, %(channel)s, %(request_id)s, %(reason)s
from rows from (jsonb_to_recordset(%(facts)s::jsonb) as (
    kind text, subject_type text, subject_id bigint, about_type text, about_id bigint, data jsonb
)) with ordinality as given(kind, subject_type, subject_id, about_type, about_id, data, place)
order by place returning id
"""


def record_all(
    facts: Iterable[tuple[str, models.Model, models.Model, Mapping[str, Any]]],
    *,
    by: Actor,
    at: datetime,
    reason: str = "",
) -> None:
    """Appends many events (kind, subject, about, data) in one statement and then runs their handlers in order.

    For what happens in batches. Optional handlers of a stretch of events share a savepoint; when one of them fails,
    that stretch is told event by event, as `record` does.
    """
    prepared = [_prepare(kind, subject, about, by, at, reason, dict(data)) for kind, subject, about, data in facts]
    if not prepared:
        return
    rows = as_json([{**_columns(told), "data": told.data} for told in prepared])
    with planned() as cursor:
        cursor.execute(_RECORD_ALL, {"facts": rows, "at": at, **_origin(by, reason)})
        ids = [pk for (pk,) in cursor.fetchall()]
    shared: dict[str, Any] = {}
    listened = [
        dataclasses.replace(told, event_id=pk, shared=shared)
        for pk, told in zip(ids, prepared, strict=True)
        if subscriptions_to(told.kind)
    ]
    for start in range(0, len(listened), _TOLD_TOGETHER):
        _tell_together(listened[start : start + _TOLD_TOGETHER])


def _tell_together(listened: list[Recorded]) -> None:
    each = [(one, told) for told in listened for one in subscriptions_to(told.kind)]
    if any(one.required or one.deferred for one, _ in each) or _attempt(each):
        for told in listened:
            _tell(told)


def _columns(told: Recorded) -> dict[str, Any]:
    """What tells one event from another."""
    subject_type, subject_id = subject_key(told.subject)
    about_type, about_id = subject_key(told.about)
    return {
        "kind": told.kind,
        "subject_type": subject_type,
        "subject_id": subject_id,
        "about_type": about_type,
        "about_id": about_id,
    }


def _origin(by: Actor, reason: str) -> dict[str, Any]:
    """Who, by which way, and why."""
    here = current_entry()
    return {
        "actor_kind": by.kind.value,
        "actor_id": by.id,
        "actor_label": by.label,
        "on_behalf_of": by.on_behalf_of,
        "channel": here.channel,
        "request_id": here.request_id,
        "reason": reason,
    }


def _prepare(
    kind: str, subject: models.Model, about: models.Model, by: Actor, at: datetime, reason: str, data: dict[str, Any]
) -> Recorded:
    """What the handlers of an event will be given; its id comes with the row."""
    if str(kind) not in declared_kinds():
        raise LookupError(f"event kind {kind!r} is not declared in any events.py")
    if at.tzinfo is None:
        raise ValueError("at= must be an aware datetime")
    return Recorded(kind=str(kind), subject=subject, about=about, by=by, at=at, data=data, event_id=0, reason=reason)


def _tell(told: Recorded) -> None:
    """Required handlers run plainly; the others together in one savepoint, and one by one when that fails."""
    listening = subscriptions_to(told.kind)
    for one in listening:
        if one.required:
            one.handler(told)
    optional = [one for one in listening if not one.required and not one.deferred]
    owed = [(one, "") for one in listening if one.deferred]
    if optional and attempt(optional, told):
        owed += [(one, error) for one in optional if (error := attempt([one], told))]
    if not owed:
        return
    Delivery.objects.bulk_create(
        Delivery(
            event_id=told.event_id,
            handler=one.name,
            attempts=int(bool(error)),
            next_attempt_at=told.at,
            last_error=error,
        )
        for one, error in owed
    )


def attempt(handlers: list[Subscription], told: Recorded) -> str:
    """Runs handlers of one event in one savepoint; returns the error as text, empty when all went well."""
    return _attempt([(one, told) for one in handlers])


def _attempt(told_to: list[tuple[Subscription, Recorded]]) -> str:
    """Runs handlers in one savepoint.

    What a handler did to the objects in memory is undone with its rows, else their next save would build on what
    never was.
    """
    things = {id(one): one for _, told in told_to for one in (told.subject, told.about)}
    before = [(one, _copied(one)) for one in things.values()]
    try:
        with _savepoint():
            for one, told in told_to:
                one.handler(told)
    except Exception as error:  # noqa: BLE001  an optional handler may fail in any way; the Delivery row keeps the error
        restore()
        for thing, state in before:
            thing.__dict__.clear()
            thing.__dict__.update(state)
        return f"{type(error).__name__}: {error}"[:2000]
    return ""


@functools.cache
def _inserting(model: type[models.Model], once: str) -> tuple[str, list[Any], list[str]]:
    """The statement, what travels (column, attribute, how the field makes its value), what the database gives."""
    fields = [field for field in model._meta.concrete_fields if not getattr(field, "generated", False)]
    given = [field for field in fields if field.primary_key or field.has_db_default()]
    sent = [field for field in fields if field not in given]
    quote, table = connection.ops.quote_name, connection.ops.quote_name(model._meta.db_table)
    columns, answers = (", ".join(quote(str(field.column)) for field in some) for some in (sent, given))
    unless = f"on conflict ({quote(once)}) do nothing" if once else ""
    statement = (
        f"insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, %s::jsonb) "  # noqa: S608  # nosec B608: the model's own names
        f"{unless} returning {answers}"
    )
    made = [field.pre_save if type(field).pre_save is not models.Field.pre_save else None for field in sent]
    travels = [(field.column, field.attname, make) for field, make in zip(sent, made, strict=True)]
    return statement, travels, [field.attname for field in given]


def insert(row: models.Model, *, once: str = "") -> bool:
    """Saves a new row by one statement that the server plans once; for what every logged incident writes.

    With `once`, a unique column, a row that has its value already is left alone: then it returns False. Whatever has a
    default in the database gets it.
    """
    statement, sent, given = _inserting(type(row), once)
    here = row.__dict__
    values = {column: here[name] if make is None else make(row, True) for column, name, make in sent}
    with planned() as cursor:
        cursor.execute(statement, [as_json(values)])
        found = cursor.fetchone()
    if found is None:
        return False
    for name, value in zip(given, found, strict=True):
        setattr(row, name, value)
    row._state.adding, row._state.db = False, connection.alias
    if isinstance(row, Tracked):
        row._remember()
    return True


@contextmanager
def _savepoint() -> Iterator[None]:
    """A savepoint that also checks deferred foreign keys: a bad one would otherwise fail the outer commit.

    As Django's own, but check and release are one round trip.
    """
    name = connection.savepoint()
    if name is None:
        raise RuntimeError("handlers run in the transaction of their event: record inside an action")
    connection.savepoint_ids.append(name)
    try:
        yield
        with connection.cursor() as cursor:
            cursor.execute(f"{_CHECK_KEYS}; release savepoint {connection.ops.quote_name(name)}")
    except BaseException:
        connection.needs_rollback = False
        connection.savepoint_rollback(name)
        connection.savepoint_commit(name)
        raise
    finally:
        connection.savepoint_ids.remove(name)


_CHECK_KEYS = "set constraints all immediate; set constraints all deferred"


def _copied(thing: models.Model) -> dict[str, Any]:
    kept = {name: dict(value) if name == "_loaded" else value for name, value in thing.__dict__.items()}
    return {name: copy.copy(value) if isinstance(value, (list, dict)) else value for name, value in kept.items()}


def retry_delay(attempts: int) -> timedelta:
    """Seconds before the next attempt of an owed delivery: 1, 2, 4 ... at most five minutes."""
    return timedelta(seconds=min(300, 2 ** min(attempts, 9)))


def _checked(row: Tracked) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        fields = error.message_dict
        name = next(iter(fields))
        raise Invalid(
            "; ".join(f"{key}: {' '.join(value)}" for key, value in fields.items()),
            field="" if name == "__all__" else name,
            fields=fields,
        ) from error


def _may_configure(by: Actor, model: type[Tracked]) -> None:
    if not by.has_role(*model.configured_by):
        raise Forbidden(
            f"{by.label} may not change {model._meta.verbose_name_plural}",
            remedy=f"ask somebody with one of the roles: {', '.join(sorted(model.configured_by))}",
        )


def assert_fresh(row: Tracked, expected_version: int | None) -> None:
    """Refuses a save made on an older version; call it under the row's lock."""
    if expected_version is not None and row.version != expected_version:
        raise Stale(
            f"{row} is at version {row.version}, the change was made on version {expected_version}",
            remedy=_RELOAD,
            current_version=row.version,
            diff=changes_since(row, expected_version),
        )


@action
def create_config(*, model: type[Tracked], values: Mapping[str, Any], by: Actor, at: datetime, reason: str = "") -> Any:
    """Creates a piece of configuration; refused without the role or with a bad value. Records `config.created`."""
    _may_configure(by, model)
    row = model(**values)
    _checked(row)
    row.save()
    record(AuditEvent.CONFIG_CREATED, row, by, at, reason=reason, model=model._meta.label_lower, label=str(row))
    return row


@action
def change_config(
    *,
    row: Tracked,
    values: Mapping[str, Any],
    by: Actor,
    at: datetime,
    expected_version: int | None = None,
    reason: str = "",
) -> Any:
    """Changes a piece of configuration; refused without the role, stale, or bad. Records `config.changed`."""
    model = type(row)
    _may_configure(by, model)
    fresh = model._base_manager.select_for_update().get(pk=row.pk)
    assert_fresh(fresh, expected_version)
    for name, value in values.items():
        setattr(fresh, name, value)
    changed = sorted(fresh.changed_fields())
    if not changed:
        return fresh
    _checked(fresh)
    fresh.save()
    record(
        AuditEvent.CONFIG_CHANGED, fresh, by, at, reason=reason, model=model._meta.label_lower, label=str(fresh),
        fields=changed,
    )  # fmt: skip
    return fresh


@action
def remove_config(
    *, row: Tracked, by: Actor, at: datetime, expected_version: int | None = None, reason: str = ""
) -> None:
    """Removes a piece of configuration, leaving its history; refused without the role, stale, or while it is needed."""
    model = type(row)
    _may_configure(by, model)
    fresh = model._base_manager.select_for_update().get(pk=row.pk)
    assert_fresh(fresh, expected_version)
    record(AuditEvent.CONFIG_REMOVED, fresh, by, at, reason=reason, model=model._meta.label_lower, label=str(fresh))
    try:
        fresh.delete()
    except (models.ProtectedError, models.RestrictedError) as error:
        raise ActionRefused(f"{fresh} is still used: {error.args[0]}", remedy="retire it instead") from error
