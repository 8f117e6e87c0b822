"""Small messages of our own making, in the shape of Alertmanager's."""

from __future__ import annotations

from typing import Any


def alert(name: str = "DiskFull", status: str = "firing", **fields: Any) -> dict[str, Any]:
    """One alert; its fingerprint is its name unless said otherwise."""
    return {
        "status": status,
        "labels": {"alertname": name, "severity": fields.pop("severity", "critical"), **fields.pop("labels", {})},
        "annotations": {"summary": f"{name} is wrong", "description": "More of it"},
        "startsAt": "2026-03-10T08:55:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": f"fp-{name}",
        **fields,
    }


def message(*alerts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A message whose status is what Alertmanager would say: firing while any member is."""
    is_firing = any(one["status"] == "firing" for one in alerts)
    return {
        "version": "4",
        "groupKey": '{}:{cluster="prod"}',
        "truncatedAlerts": 0,
        "status": "firing" if is_firing else "resolved",
        "receiver": "desk",
        "groupLabels": {"cluster": "prod"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
        **fields,
    }
