"""Whether the promise can be kept now: database, migrations, broker, sweeps, deliveries, overdue work."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError

import integrations.queries
from audit import triggers
from audit.queries import database_time
from servicedesk.celery import app
from servicedesk.tasks import SWEEPS

#: Seconds after which a missing wake-up or a step that is still undone is an alarm (RELIABILITY I5: at most a minute).
LATE_AFTER = 60

Check = dict[str, Any]

_OVERDUE = {
    "pages": "select escalate_at from oncall_page where escalate_at is not null order by escalate_at limit 1",
    "clocks": "select next_threshold_at from sla_clock where next_threshold_at is not null "
    "order by next_threshold_at limit 1",
    "messages": "select next_attempt_at from notify_message where state = 'queued' order by next_attempt_at limit 1",
}


def _one(sql: str, *parameters: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
    return row[0] if row else None


def _database() -> Check:
    return {"ok": True, "version": _one("show server_version")}


@functools.cache
def _migrated() -> bool:
    """Asked until it is true; a running process can't lose a migration again."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise LookupError
    return True


def _migrations() -> Check:
    try:
        return {"ok": _migrated()}
    except LookupError:
        return {"ok": False, "remedy": "run `manage.py migrate`"}


def _broker() -> Check:
    try:
        with app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=1)
    except (OperationalError, OSError) as error:
        return {"ok": False, "error": type(error).__name__, "remedy": "start the broker that CELERY_BROKER_URL names"}
    return {"ok": True}


def _sweeps() -> Check:
    age = _one(
        "select extract(epoch from clock_timestamp() - at)::float from servicedesk_heartbeat where name = %s", SWEEPS
    )
    if age is None:
        return {"ok": False, "remedy": "start worker and beat"}
    return {"ok": age < LATE_AFTER, "age_s": round(age, 3)}


def _overdue() -> Check:
    late = {
        name: _one(f"select greatest(0, extract(epoch from clock_timestamp() - ({sql})))::float")  # noqa: S608  # nosec B608: constants
        for name, sql in _OVERDUE.items()
    }
    late = {name: round(seconds or 0, 3) for name, seconds in late.items()}
    return {"ok": all(seconds < LATE_AFTER for seconds in late.values()), **late}


def _deliveries() -> Check:
    waiting = _one(
        "select count(*) from audit_delivery where done_at is null and given_up_at is null "
        "and created_at < clock_timestamp() - interval '60 seconds'"
    )
    given_up = _one("select count(*) from audit_delivery where given_up_at is not null and done_at is null")
    unattributed = _one("select count(*) from audit_unattributedwrite where at > clock_timestamp() - interval '1 day'")
    return {"ok": not waiting and not given_up, "waiting": waiting, "given_up": given_up, "unattributed": unattributed}


def _webhooks() -> Check:
    """Never a reason not to serve, and never silent: receivers that are switched off or fail, and what waits."""
    off = _one("select count(*) from integrations_webhookendpoint where state = 'disabled'")
    failing = _one("select count(*) from integrations_webhookendpoint where first_failure_at is not null")
    waiting = _one("select count(*) from integrations_webhooklane where next_attempt_at is not null")
    return {"ok": True, "switched_off": off, "failing": failing, "waiting": waiting}


def _mail() -> Check:
    """Mail that can't come in is as bad as a page that can't go out; what waits for a person is only shown."""
    found = integrations.queries.trouble(database_time())
    return {"ok": not found["stuck"] and not found["failing"], **found}


def _triggers() -> Check:
    """A trail that misses a trigger is no trail: the installed ones are compared with what the models generate."""
    differences = triggers.check()
    if not differences:
        return {"ok": True}
    return {
        "ok": False,
        "differences": differences[:5],
        "remedy": "run `manage.py migrate`; else somebody changed them",
    }


_CHECKS: dict[str, Callable[[], Check]] = {
    "database": _database,
    "migrations": _migrations,
    "triggers": _triggers,
    "broker": _broker,
    "sweeps": _sweeps,
    "overdue": _overdue,
    "deliveries": _deliveries,
    "webhooks": _webhooks,
    "mail": _mail,
}


def checks() -> dict[str, Check]:
    """Each part's state; a part whose question the database can't answer is not ready, with the kind of error."""
    answers: dict[str, Check] = {}
    for name, check in _CHECKS.items():
        try:
            answers[name] = check()
        except DatabaseError as error:
            answers[name] = {"ok": False, "error": type(error).__name__}
    return answers
