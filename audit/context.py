"""Tells the database who writes: one `SET LOCAL` value that the history triggers read.

The entry point (request, task, command) names channel and request id once; each action adds actor and reason.
A write without it is recorded as `db:<role>` and counted as unattributed, so nothing is hidden and nothing is lost.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.utils import debug_transaction
from psycopg import pq, sql

from audit.actor import Actor

SETTING = "servicedesk.context"


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """Where a piece of work came in: page, api, admin, link, mail, job, import or command."""

    channel: str
    request_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Acting:
    by: Actor
    reason: str
    entry: Entry

    def setting(self) -> str:
        by, here = self.by, self.entry
        return json.dumps(
            {
                "kind": by.kind.value,
                "id": by.id,
                "label": by.label,
                "user": by.user_id,
                "behalf": by.on_behalf_of,
                "channel": here.channel,
                "request": here.request_id,
                "reason": self.reason,
            },
            ensure_ascii=False,
        )


_entry: contextvars.ContextVar[Entry | None] = contextvars.ContextVar("audit_entry", default=None)
_current: contextvars.ContextVar[_Acting | None] = contextvars.ContextVar("audit_current", default=None)


#: How the configuration stood when the request came in; None where nobody looked, or where this request changed it.
stamp: contextvars.ContextVar[str | None] = contextvars.ContextVar("audit_stamp", default=None)


def current_entry() -> Entry:
    return _entry.get() or Entry(channel="code")


@contextlib.contextmanager
def entry(channel: str, request_id: str = "") -> Iterator[None]:
    """Names the way in for everything done inside the block."""
    token, before = _entry.set(Entry(channel=channel, request_id=request_id)), stamp.set(None)
    try:
        yield
    finally:
        _entry.reset(token)
        stamp.reset(before)


def _set_local(acting: _Acting | None) -> None:
    here: Any = connections[DEFAULT_DB_ALIAS]
    text = acting.setting() if acting else ""
    if here.connection is None or here.connection.isolation_level is not None or not _idle(here):
        with here.cursor() as cursor:
            cursor.execute("select set_config(%s, %s, true)", [SETTING, text])
    else:
        _begin_with(here, text)


def _idle(here: Any) -> bool:
    """Whether the transaction of an atomic block has not begun on the server yet: psycopg waits for a statement."""
    unchecked = here.health_check_enabled and not here.health_check_done
    status: pq.TransactionStatus = here.connection.info.transaction_status
    return status == pq.TransactionStatus.IDLE and not unchecked


def _begin_with(here: Any, text: str) -> None:
    """Begins the transaction and says who writes in one round trip, where psycopg would take two."""
    statement = sql.SQL("begin; select set_config({}, {}, true)").format(SETTING, text).as_string(here.connection)
    with debug_transaction(here, statement), here.wrap_database_errors:
        result = here.connection.pgconn.exec_(statement.encode())
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise psycopg.errors.error_from_result(result)


@contextlib.contextmanager
def acting(by: Actor, *, reason: str = "") -> Iterator[None]:
    """Attributes every write inside the block to `by`; needs a transaction, because `SET LOCAL` is void outside one.

    A block inside another of the same actor costs no statement and keeps its reason, unless it gives one of its own;
    otherwise the outer value is put back, because a value set inside a savepoint leaks out of it when the savepoint is
    released. Call it directly inside an atomic block (`action` does), so that a failed statement rolls the value back.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("acting() needs a transaction: SET LOCAL outside one is void")
    outer = _current.get()
    if not reason and outer is not None and outer.by == by:
        reason = outer.reason
    mine = _Acting(by, reason, current_entry())
    if mine == outer:
        yield
        return
    _set_local(mine)
    token = _current.set(mine)
    try:
        yield
    finally:
        _current.reset(token)
        # The outermost block's value ends with its transaction. After a failed statement nothing can be set: the
        # enclosing atomic block's rollback restores the value.
        if (outer is not None or connection.savepoint_ids) and _usable():
            _set_local(outer)


def is_acting(by: Actor | None = None, reason: str = "") -> bool:
    """Whether an action is under way, so that what runs now is part of it; with `by` one of this actor and reason."""
    now = _current.get()
    if now is None or by is None:
        return now is not None
    return now.by == by and reason in ("", now.reason) and now.entry == current_entry()


def _usable() -> bool:
    link: Any = connection.connection
    return not connection.needs_rollback and link.info.transaction_status == pq.TransactionStatus.INTRANS


def restore() -> None:
    """Sets the value of the enclosing `acting` block again, after a savepoint was rolled back."""
    _set_local(_current.get())
