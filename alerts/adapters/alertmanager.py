"""Prometheus Alertmanager's webhook, version 4, and its older bodies without version, groupKey and fingerprint.

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from alerts.body import BadBody, a_count, a_list, a_text, a_time, an_object, labels
from alerts.parsed import ParsedAlert, ParsedMessage, hash_of, key


def parse(body: object, received_at: datetime) -> ParsedMessage:
    """Alert by alert; the message's own status counts only where it omits members (`truncatedAlerts`)."""
    message = an_object(body, "body")
    if "alerts" not in message:
        raise BadBody("is missing; is this an Alertmanager webhook?", place="alerts")
    status = _status(message, "")
    group_key = key(a_text(message, "groupKey", ""))
    envelope = {name: value for name, value in message.items() if name != "alerts"}
    alerts = tuple(
        _alert(an_object(one, f"alerts[{index}]"), f"alerts[{index}].", status, group_key, envelope, received_at)
        for index, one in enumerate(a_list(message["alerts"], "alerts"))
    )
    is_cut_off = a_count(message, "truncatedAlerts", "") > 0 and status == "resolved"
    return ParsedMessage(
        alerts=alerts, closes_group=group_key if is_cut_off and not any(one.is_firing for one in alerts) else ""
    )


def _alert(
    alert: Mapping[str, object],
    place: str,
    message_status: str,
    group_key: str,
    envelope: Mapping[str, object],
    received_at: datetime,
) -> ParsedAlert:
    found = labels(alert, "labels", place)
    notes = labels(alert, "annotations", place)
    fingerprint = a_text(alert, "fingerprint", place)
    if not fingerprint and not found:
        raise BadBody("an alert needs a fingerprint or labels", place=f"{place}labels")
    return ParsedAlert(
        fingerprint=key(fingerprint) if fingerprint else hash_of(found),
        is_firing=_is_firing(alert, place, message_status, received_at),
        title=notes.get("summary") or notes.get("title") or _named(found),
        description=notes.get("description") or notes.get("message") or "",
        group_key=group_key,
        url=a_text(alert, "generatorURL", place),
        started_at=a_time(alert, "startsAt", place),
        labels=found,
        annotations=notes,
        payload={"alert": alert, "message": envelope},
    )


def _status(owner: Mapping[str, object], place: str) -> str:
    status = a_text(owner, "status", place)
    if status not in ("", "firing", "resolved"):
        raise BadBody("must be firing or resolved", place=f"{place}status")
    return status


def _is_firing(alert: Mapping[str, object], place: str, message_status: str, received_at: datetime) -> bool:
    status = _status(alert, place)
    if status:
        return status == "firing"
    if message_status == "resolved":  # by definition every alert of the message is
        return False
    ended_at = a_time(alert, "endsAt", place)
    return ended_at is None or ended_at > received_at


def _named(found: Mapping[str, str]) -> str:
    name, where = found.get("alertname", ""), found.get("instance", "")
    if not name:
        return ", ".join(f"{label}={value}" for label, value in sorted(found.items())[:4]) or "Alert"
    return f"{name} on {where}" if where else name
