"""Read models of the alert intake."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q

from alerts.adapters import ADAPTERS
from alerts.body import check
from alerts.models import Alert, AlertSource, Grouping
from alerts.parsed import ParsedAlert, ParsedMessage
from audit.actor import Actor, ActorKind
from incidents.models import Incident, Service

#: A storm is judged over this span.
STORM_WINDOW = timedelta(minutes=1)
STORM_BUCKET = "storm"


def key_hash(key: str) -> str:
    """Keys are 192 random bits, so a fast unsalted hash is safe and can be looked up by index."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def source_of_key(key: str) -> AlertSource | None:
    return AlertSource.objects.select_related("service", "team").filter(key_hash=key_hash(key)).first()


def actor_of(source: AlertSource) -> Actor:
    """The source's key as the one who acts: it may open incidents, and nothing else."""
    return Actor(
        kind=ActorKind.KEY,
        id=source.key_prefix,
        label=source.name,
        roles=frozenset({"integration"}),
        scopes=frozenset({"incidents:write"}),
    )


def message_of(source: AlertSource, payload: object, at: datetime) -> ParsedMessage:
    """What the source's adapter makes of a decoded body; raises BadBody with the place."""
    check(payload)
    return ADAPTERS[source.adapter](payload, at)


def bucket_of(source: AlertSource, alert: ParsedAlert) -> str:
    """What alerts have to share to share an incident."""
    if source.grouping == Grouping.GROUP and alert.group_key:
        return f"group:{alert.group_key}"
    return f"alert:{alert.fingerprint}"


def severity_of(source: AlertSource, alert: ParsedAlert) -> str:
    return alert.severity or alert.labels.get(source.severity_label, "")


def open_alert(source: AlertSource, fingerprint: str) -> Alert | None:
    return Alert.objects.firing().filter(source=source, fingerprint=fingerprint).first()


def known_fingerprints(source: AlertSource, fingerprints: Iterable[str]) -> set[str]:
    """Which of these have ever been seen."""
    seen = Alert.objects.filter(source=source, fingerprint__in=list(fingerprints))
    return set(seen.order_by().values_list("fingerprint", flat=True).distinct())


def open_in_group(source: AlertSource, group_key: str) -> list[str]:
    firing = Alert.objects.firing().filter(source=source, group_key=group_key)
    return list(firing.order_by("id").values_list("fingerprint", flat=True))


def last_incident_id(source: AlertSource, bucket: str) -> int | None:
    """The incident that the newest alert of a bucket belongs to."""
    newest = Alert.objects.filter(source=source, bucket=bucket).exclude(incident=None).order_by("-id")
    return newest.values_list("incident_id", flat=True).first()


def is_storming(source: AlertSource, at: datetime) -> bool:
    """Whether the source has opened its limit of incidents within the window before `at`."""
    if not source.storm_limit:
        return False
    opened = Alert.objects.filter(source=source, has_opened=True, detected_at__gt=at - STORM_WINDOW)
    return opened[: source.storm_limit].count() >= source.storm_limit


def firing_on(incident: Incident) -> int:
    return Alert.objects.firing().filter(incident=incident).count()


def service_named(slug: str) -> Service | None:
    return Service.objects.filter(slug=slug, is_active=True).first() if slug else None


def incidents_of(source: AlertSource, fingerprints: Iterable[str], buckets: Iterable[str]) -> set[int]:
    """The incidents that these alerts belong to or may join."""
    linked = Alert.objects.filter(source=source).exclude(incident=None)
    linked = linked.filter(Q(fingerprint__in=list(fingerprints)) | Q(bucket__in=list(buckets)))
    return {one for one in linked.order_by().values_list("incident_id", flat=True).distinct() if one is not None}
