"""One factory for each model of alerts."""

from __future__ import annotations

import datetime as dt

import factory
from factory.django import DjangoModelFactory

from alerts.models import Alert, AlertSource
from alerts.queries import key_hash

AT = dt.datetime(2026, 3, 10, 9, 0, tzinfo=dt.UTC)


def key_of(source: AlertSource) -> str:
    """The plain key of a source made here."""
    return f"{source.key_prefix}_secret"


class AlertSourceFactory(DjangoModelFactory[AlertSource]):
    """A source whose key is `key_of(source)`."""

    class Meta:
        model = AlertSource

    name = factory.Sequence(lambda n: f"Monitoring {n}")
    adapter = "alertmanager"
    key_prefix = factory.Sequence(lambda n: f"sdi_{n:08d}")
    key_hash = factory.LazyAttribute(lambda made: key_hash(f"{made.key_prefix}_secret"))


class AlertFactory(DjangoModelFactory[Alert]):
    """A firing alert without an incident."""

    class Meta:
        model = Alert

    source = factory.SubFactory(AlertSourceFactory)
    fingerprint = factory.Sequence(lambda n: f"fingerprint-{n}")
    bucket = factory.LazyAttribute(lambda made: f"alert:{made.fingerprint}")
    title = "Disk is full"
    impact = 2
    urgency = 2
    detected_at = AT
    last_seen_at = AT
