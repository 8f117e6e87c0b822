"""Reads new events for the endpoints that ask for them, and puts each into its incident's lane."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection

from audit.actions import action
from audit.actor import Actor
from audit.models import Event
from incidents.models import Incident
from integrations.actions.payloads import Owed, owed, texts
from integrations.models import WebhookCursor, WebhookDelivery, WebhookEndpoint
from integrations.webhooks.patterns import matches
from integrations.webhooks.progress import Progress

#: Events that one transaction reads.
BATCH = 1000
INCIDENT = Incident._meta.label_lower

# Each gap is a range of the primary key, so the cost is that of what is new and not of what is old.
_IN_GAPS = """
select e.id, e.kind, e.about_type
from unnest(%s::bigint[], %s::bigint[]) as gap(first, last)
cross join lateral (
    select id, kind, about_type from audit_event where id between gap.first and gap.last order by id limit %s
) e
order by e.id limit %s
"""

# A virtual id is held from a transaction's begin to its end, even before it has written anything.
_RUNNING = """
select l.virtualtransaction from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'virtualxid' and l.granted and a.datname = current_database() and l.pid <> pg_backend_pid()
"""

_LANES = """
insert into integrations_webhooklane (endpoint_id, key, next_attempt_at, lease_token)
select endpoint, key, %s::timestamptz, '' from unnest(%s::bigint[], %s::bigint[]) as given(endpoint, key)
order by endpoint, key
on conflict (endpoint_id, key) do update
set next_attempt_at = coalesce(integrations_webhooklane.next_attempt_at, excluded.next_attempt_at)
"""


def running_transactions() -> frozenset[str]:
    """The transactions of others that run now in this database."""
    with connection.cursor() as cursor:
        cursor.execute(_RUNNING)
        return frozenset(row[0] for row in cursor.fetchall())


@action
def capture_events(*, by: Actor, at: datetime, limit: int = BATCH) -> int:
    """Reads up to so many events that were not read before and queues what endpoints ask for; returns how many.

    One reader at a time: a second one finds the cursor locked and returns 0. No event of the desk is recorded, because
    nothing happened to the incident. The steps' order matters: first whether the transactions that could still fill
    the old gaps have ended, then the look at the gaps, then who runs now, for the gaps that are left.
    """
    cursor = WebhookCursor.singleton().select_for_update(skip_locked=True).first()
    if cursor is None:
        return 0
    endpoints = list(WebhookEndpoint.objects.listening().select_related("reader").order_by("pk"))
    if not endpoints:
        _store(cursor, Progress(low=_newest(cursor.low)))
        return 0
    progress = _loaded(cursor)
    settled = progress.settled(running_transactions() if progress.running else frozenset())
    rows = _new_rows(progress, limit)
    wanted = [
        pk for pk, kind, about in rows
        if about == INCIDENT and any(matches(one.kinds, kind) for one in endpoints)
    ]  # fmt: skip
    enqueue(endpoints, wanted, at)
    progress = progress.with_seen(pk for pk, _, _ in rows)
    if len(rows) < limit:
        progress = progress.past(settled)
        if progress.seen and progress.mark <= progress.low:
            progress = progress.waiting(running_transactions())
    _store(cursor, progress)
    return len(rows)


@action
def capture_missed(*, endpoint: WebhookEndpoint, since: datetime, by: Actor, at: datetime, limit: int = BATCH) -> int:
    """Queues events since a moment that the endpoint was never given, as far as they were read; returns how many."""
    cursor = WebhookCursor.singleton().select_for_update().get()
    known = WebhookDelivery.objects.filter(endpoint=endpoint, event_id__isnull=False).values("event_id")
    rows = Event.objects.filter(about_type=INCIDENT, at__gte=since, id__lte=_loaded(cursor).top)
    kinds = rows.exclude(id__in=known).order_by("id").values_list("id", "kind")
    wanted = [pk for pk, kind in kinds.iterator() if matches(endpoint.kinds, kind)][:limit]
    return enqueue([endpoint], wanted, at, is_missed=True)


def _new_rows(progress: Progress, limit: int) -> list[tuple[int, str, str]]:
    gaps = progress.gaps()
    with connection.cursor() as cursor:
        firsts, lasts = [first for first, _ in gaps], [last for _, last in gaps]
        cursor.execute(_IN_GAPS, [firsts, lasts, limit, limit])
        return [(pk, kind, about) for pk, kind, about in cursor.fetchall()]


def _newest(low: int) -> int:
    return max(low, Event.objects.order_by("-id").values_list("id", flat=True).first() or 0)


def _loaded(cursor: WebhookCursor) -> Progress:
    seen = tuple((first, last) for first, last in cursor.seen)
    return Progress(low=cursor.low, seen=seen, mark=cursor.mark, running=frozenset(cursor.running))


def _store(cursor: Any, progress: Progress) -> None:
    values = {
        "low": progress.low, "seen": [list(one) for one in progress.seen], "mark": progress.mark,
        "running": sorted(progress.running),
    }  # fmt: skip
    if any(getattr(cursor, name) != value for name, value in values.items()):
        WebhookCursor.singleton().update(**values)


def enqueue(
    endpoints: Iterable[WebhookEndpoint], event_ids: list[int], at: datetime, *, is_missed: bool = False
) -> int:
    """Makes a delivery for each endpoint and event, once, and lets its lane know."""
    if not event_ids:
        return 0
    events = list(Event.objects.filter(pk__in=event_ids).order_by("pk"))
    said = texts(events)
    found: list[Owed] = []
    for endpoint in endpoints:
        mine = [
            event for event in events
            if matches(endpoint.kinds, event.kind) and (is_missed or event.pk > endpoint.begins_after)
        ]  # fmt: skip
        found += owed(endpoint, mine, said) if mine else []
    WebhookDelivery.objects.bulk_create((_delivery(one, at) for one in found), ignore_conflicts=True, batch_size=500)
    wake_lanes({(one.endpoint.pk, one.incident.pk) for one in found}, at)
    return len(found)


def _delivery(one: Owed, at: datetime) -> WebhookDelivery:
    return WebhookDelivery(
        endpoint=one.endpoint, event_id=one.event.pk, incident=one.incident, webhook_id=new_webhook_id(),
        kind=one.event.kind, payload=one.payload, created_at=at,
    )  # fmt: skip


def new_webhook_id() -> str:
    return f"msg_{secrets.token_hex(16)}"


def wake_lanes(lanes: set[tuple[int, int]], at: datetime) -> None:
    """Makes the lanes due that wait for nothing else; (endpoint, incident) in one order, as every lock."""
    ordered = sorted(lanes)
    if ordered:
        with connection.cursor() as cursor:
            cursor.execute(_LANES, [at, [one for one, _ in ordered], [key for _, key in ordered]])
