"""The life of one alert: it fires and opens, joins or reopens an incident; it recovers, and the last one settles it.

These are steps of `receive`, which holds the locks of fingerprint, bucket and incident.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

import incidents.actions
from alerts import queries
from alerts.body import REPLACED
from alerts.events import AlertEvent
from alerts.models import Alert, AlertSource, AlertState, OnRecovery
from alerts.parsed import ParsedAlert
from audit.actions import ActionRefused, Invalid, record
from audit.actor import Actor, ActorKind
from audit.queries import ask
from incidents.events import IncidentEvent
from incidents.models import Incident, Service

#: Notes of an incident stay readable; the whole message is kept with the alert.
_MAX_DESCRIPTION = 20_000
_MAX_TITLE = 200


class Outcome(enum.StrEnum):
    """What became of one alert of a message."""

    OPENED = "opened"
    ATTACHED = "attached"
    REOPENED = "reopened"
    LINKED = "linked"
    SUPPRESSED = "suppressed"
    REPEATED = "repeated"
    RESOLVED = "resolved"
    PROPOSED = "proposed"
    RECOVERED = "recovered"
    UNMATCHED = "unmatched"


_REPEAT = """
with due as (
    select a.id, seen.payload
    from alerts_alert a
    join unnest(%s::text[], %s::jsonb[]) as seen (fingerprint, payload) on seen.fingerprint = a.fingerprint
    left join incidents_incident i on i.id = a.incident_id
    where a.source_id = %s and a.state = 'firing' and (i.id is null or i.state not in ('resolved', 'closed'))
    order by a.id
    for no key update of a
)
update alerts_alert a
set repeat_count = a.repeat_count + 1, last_seen_at = greatest(a.last_seen_at, %s), last_payload = due.payload
from due
where due.id = a.id
returning a.fingerprint
"""
_REPEAT_WITHOUT_WAITING = _REPEAT.replace("update of a\n", "update of a skip locked\n")


def add_repeats(source: AlertSource, alerts: Sequence[ParsedAlert], at: datetime, *, waits: bool = True) -> set[str]:
    """Counts what fires already, in one statement that locks in id order; gives the fingerprints that it found.

    A firing alert whose incident was resolved or closed is no repeat: it is still wrong, so the incident lives again.
    One whose incident was cancelled stays one: a person said that it is none.
    """
    if not alerts:
        return set()
    names, payloads = [one.fingerprint for one in alerts], [json.dumps(one.payload) for one in alerts]
    found = ask(_REPEAT if waits else _REPEAT_WITHOUT_WAITING, [names, payloads, source.pk, at])
    return {fingerprint for (fingerprint,) in found}


def fire(source: AlertSource, alert: ParsedAlert, by: Actor, at: datetime) -> tuple[Outcome, str]:
    """Takes one alert that fires and is no plain repeat."""
    bucket = queries.bucket_of(source, alert)
    known = queries.open_alert(source, alert.fingerprint)
    previous = _locked(known.incident_id if known else queries.last_incident_id(source, bucket))
    if known is None or previous is None:
        return _begin(source, alert, bucket, previous, by, at)
    if previous.state == "closed":
        _end(known, at)
        return _begin(source, alert, bucket, previous, by, at)
    outcome = Outcome.REPEATED  # somebody reopened it while we waited for its lock
    if previous.state == "resolved":
        outcome, previous = Outcome.REOPENED, _reopen(source, previous, alert, at)
    add_repeats(source, [alert], at)
    return outcome, previous.reference


def _locked(incident_id: int | None) -> Incident | None:
    if incident_id is None:
        return None
    return Incident.objects.select_for_update(no_key=True).get(pk=incident_id)


def _begin(
    source: AlertSource, alert: ParsedAlert, bucket: str, previous: Incident | None, by: Actor, at: datetime
) -> tuple[Outcome, str]:
    """A new episode of firing, on the incident of its bucket or on a new one."""
    if previous is not None and previous.state not in ("closed", "cancelled"):
        outcome, incident = Outcome.ATTACHED, previous
        if previous.state == "resolved":
            outcome, incident = Outcome.REOPENED, _reopen(source, previous, alert, at)
    elif queries.is_storming(source, at):
        outcome, bucket, incident = Outcome.SUPPRESSED, queries.STORM_BUCKET, _storm(source, alert, by, at)
    else:
        closed = previous if previous is not None and previous.state == "closed" else None
        outcome = Outcome.LINKED if closed is not None else Outcome.OPENED
        incident = _open(source, alert, closed, by, at)
    row = Alert.objects.create(
        incident=incident,
        has_opened=outcome in (Outcome.OPENED, Outcome.LINKED),
        is_suppressed=outcome is Outcome.SUPPRESSED,
        **_fields(source, alert, bucket, at),
    )
    record(
        AlertEvent.FIRED, row, by, at, about=incident, outcome=outcome.value, impact=row.impact, urgency=row.urgency,
        **_told(source, row),
    )  # fmt: skip
    return outcome, incident.reference


def _told(source: AlertSource, row: Alert) -> dict[str, Any]:
    return {"source": source.name, "fingerprint": row.fingerprint, "title": row.title[:200], "severity": row.severity}


def _fields(source: AlertSource, alert: ParsedAlert, bucket: str, at: datetime) -> dict[str, Any]:
    severity = queries.severity_of(source, alert)
    impact, urgency = source.rating(severity)
    return {
        "source": source,
        "fingerprint": alert.fingerprint,
        "bucket": bucket,
        "group_key": alert.group_key,
        "title": alert.title,
        "severity": severity,
        "impact": impact,
        "urgency": urgency,
        "url": alert.url,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "payload": alert.payload,
        "occurred_at": alert.started_at,
        "detected_at": at,
        "last_seen_at": at,
    }


def _open(source: AlertSource, alert: ParsedAlert, previous: Incident | None, by: Actor, at: datetime) -> Incident:
    """Opens the incident of an alert. An alert is never lost to a setting that no longer fits the matrix."""
    impact, urgency = source.rating(queries.severity_of(source, alert))
    opened = functools.partial(
        incidents.actions.open_incident,
        title=_title(alert.title),
        description=_description(alert),
        by=_desk(source) if source.is_drill else by,
        at=at,
        channel="alert",
        service=_service(source, alert),
        team=source.team if source.team is not None and source.team.is_active else None,
        occurred_at=alert.started_at if alert.started_at is not None and alert.started_at <= at else None,
        detected_at=at,
        detected_by="monitor",
        source_label=source.name,
        is_drill=source.is_drill,
        recurrence_of=previous,
    )
    try:
        incident = opened(impact=impact, urgency=urgency)
    except Invalid as error:
        if error.field not in ("impact", "urgency"):
            raise
        incident = opened()
    if previous is not None:
        record(IncidentEvent.RECURRED, previous, by, at, recurrence=incident.reference)
    return incident


def _title(text: str) -> str:
    line = " ".join(text.split()) or "Alert"
    return line if len(line) <= _MAX_TITLE else f"{line[: _MAX_TITLE - 1]}…"


def _description(alert: ParsedAlert) -> str:
    lines = [alert.description or alert.title, ""]
    lines += [f"{name}: {value}" for name, value in sorted(alert.labels.items())]
    lines += [f"{name}: {value}" for name, value in sorted(alert.annotations.items()) if value != alert.description]
    lines += [alert.url] if alert.url else []
    if any(REPLACED in one for one in (alert.title, *lines)):
        lines += ["", f"{REPLACED} stands for a character that no text can hold."]
    return "\n".join(lines)[:_MAX_DESCRIPTION].strip()


def _service(source: AlertSource, alert: ParsedAlert) -> Service | None:
    named = queries.service_named(alert.labels.get(source.service_label, "")) if source.service_label else None
    if named is not None:
        return named
    return source.service if source.service is not None and source.service.is_active else None


def _desk(source: AlertSource) -> Actor:
    """Who resolves and reopens at a source's word: the desk's own job, by the rules an admin set for the source."""
    return Actor(kind=ActorKind.JOB, id="alerts.intake", label="alert intake", on_behalf_of=source.name)


def _reopen(source: AlertSource, incident: Incident, alert: ParsedAlert, at: datetime) -> Incident:
    return incidents.actions.reopen(
        incident=incident, reason=f"{source.name}: {_title(alert.title)} fires", by=_desk(source), at=at
    )


def _storm(source: AlertSource, alert: ParsedAlert, by: Actor, at: datetime) -> Incident:
    """The one incident that stands for everything past the limit; the first alert past it opens it."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"alerts.storm:{source.pk}"])
    incident = _locked(queries.last_incident_id(source, queries.STORM_BUCKET))
    if incident is not None and incident.state == "resolved":
        return _reopen(source, incident, alert, at)
    if incident is not None and incident.state not in ("closed", "cancelled"):
        return incident
    told = dataclasses.replace(
        alert,
        title=f"Alert storm from {source.name}",
        description=(
            f"More than {source.storm_limit} new incidents within a minute. The alerts beyond that are kept on this"
            f" incident and counted; it is resolved when the last of them recovers. The first of them:\n{alert.title}"
        ),
    )
    opened = _open(source, told, incident if incident is not None and incident.state == "closed" else None, by, at)
    record(AlertEvent.STORM_BEGAN, source, by, at, about=opened, source=source.name, limit=source.storm_limit)
    return opened


def _end(row: Alert, at: datetime) -> None:
    row.recover(at=at)
    row.save(update_fields=["state", "resolved_at", "last_seen_at", "last_payload"])


def recover(
    source: AlertSource, fingerprint: str, payload: Mapping[str, object] | None, by: Actor, at: datetime
) -> tuple[Outcome, str]:
    """Takes the recovery of one alert; the last of an incident's alerts resolves it or proposes to, by policy."""
    known = queries.open_alert(source, fingerprint)
    if known is None:
        return Outcome.UNMATCHED, ""
    incident = _locked(known.incident_id)
    row = Alert.objects.select_for_update(no_key=True).get(pk=known.pk)  # the fast path counts repeats meanwhile
    row.last_payload = payload if payload is not None else row.last_payload
    _end(row, at)
    remaining = queries.firing_on(incident) if incident is not None else 0
    record(AlertEvent.RECOVERED, row, by, at, about=incident, firing=remaining, **_told(source, row))
    if incident is None:
        return Outcome.RECOVERED, ""
    is_over = incident.state in ("resolved", "closed", "cancelled")
    outcome = Outcome.RECOVERED if remaining or is_over else _settle(source, row, incident, by, at)
    return outcome, incident.reference


def _settle(source: AlertSource, row: Alert, incident: Incident, by: Actor, at: datetime) -> Outcome:
    """Nothing of the incident fires any more: resolves it, or leaves that to a person."""
    is_held = incident.acknowledged_at is not None
    if source.on_recovery == OnRecovery.PROPOSE or (source.on_recovery == OnRecovery.RESOLVE_UNHELD and is_held):
        record(AlertEvent.RECOVERY_PROPOSED, row, by, at, about=incident, source=source.name)
        return Outcome.PROPOSED
    try:
        incidents.actions.resolve(
            incident=incident,
            code=source.recovery_code,
            notes=f"Every alert of this incident recovered at {source.name}.",
            fix_kind="none",
            by=_desk(source),
            at=at,
        )
    except ActionRefused as error:  # what a person must settle stays with a person
        record(AlertEvent.RECOVERY_PROPOSED, row, by, at, about=incident, reason=error.detail, source=source.name)
        return Outcome.PROPOSED
    return Outcome.RESOLVED


def keep_unknown(source: AlertSource, alerts: Sequence[ParsedAlert], at: datetime) -> None:
    """A recovery of something that never fired here is kept too; it opens nothing."""
    known = queries.known_fingerprints(source, (one.fingerprint for one in alerts)) if alerts else set()
    for alert in {one.fingerprint: one for one in alerts if one.fingerprint not in known}.values():
        Alert.objects.create(
            state=AlertState.RESOLVED,
            resolved_at=at,
            **_fields(source, alert, queries.bucket_of(source, alert), at),
        )
