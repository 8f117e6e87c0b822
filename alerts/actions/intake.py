"""Receives the messages of alert sources: deduplicates under locks, and works them alert by alert."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connection

from alerts import queries
from alerts.actions.episodes import Outcome, add_repeats, fire, keep_unknown, recover
from alerts.body import BadBody
from alerts.models import AlertSource
from alerts.parsed import ParsedAlert, ParsedMessage
from audit.actions import Forbidden, Invalid, action
from audit.actor import Actor
from incidents.models import Incident


class SourceInactive(Forbidden):
    """The source is switched off."""

    code = "source_inactive"


class BadAlert(Invalid):
    """The body isn't what the source's adapter reads; `field` is the place in it."""

    code = "bad_alert"


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message: how many alerts had which outcome, which incidents were touched, what to know."""

    outcomes: Mapping[str, int]
    references: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def count(self, outcome: Outcome) -> int:
        return self.outcomes.get(outcome, 0)

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(
            outcomes=Counter(self.outcomes) + Counter(other.outcomes),
            references=tuple(sorted({*self.references, *other.references})),
            notes=(*self.notes, *other.notes),
        )


def _message(source: AlertSource, payload: object, at: datetime) -> ParsedMessage:
    if not source.is_active:
        raise SourceInactive(f"the alert source {source.name} is switched off", remedy="switch it on in its settings")
    if isinstance(payload, ParsedMessage):
        return payload
    try:
        return queries.message_of(source, payload, at)
    except BadBody as error:
        raise BadAlert(str(error), field=error.place, remedy=f"send what the adapter {source.adapter} reads") from error


@action
def count_repeats(*, source: AlertSource, payload: object, by: Actor, at: datetime) -> tuple[Receipt, ParsedMessage]:
    """The fast path: counts, in one statement, all alerts of a message that fire already; gives back the rest.

    It waits for nobody: what another worker holds is left for `receive`. Refused when the body can't be understood.
    Records nothing, because a repeat is a number on its alert and no event.
    """
    message = _message(source, payload, at)
    if message.is_ordered:
        return Receipt({}), message
    repeated = add_repeats(source, [one for one in message.alerts if one.is_firing], at, waits=False)
    return Receipt({Outcome.REPEATED: len(repeated)} if repeated else {}), message.without(repeated)


@action
def receive(*, source: AlertSource, payload: object, by: Actor, at: datetime) -> Receipt:
    """Takes one decoded body of a source, or a part of it; refused as a whole when it can't be understood.

    Records `alert.fired` and `alert.recovered`, and what they do to incidents; repeats are only counted.
    """
    message = _message(source, payload, at)
    left_out = queries.open_in_group(source, message.closes_group) if message.closes_group else []
    _lock(source, message.alerts, left_out)
    results: list[tuple[Outcome, str]] = []
    for batch in [[one] for one in message.alerts] if message.is_ordered else [message.alerts]:
        results += _fire_all(source, [one for one in batch if one.is_firing], by, at)
        results += _recover_all(source, [one for one in batch if not one.is_firing], by, at)
    named = {one.fingerprint for one in message.alerts}
    results += [recover(source, fingerprint, None, by, at) for fingerprint in left_out if fingerprint not in named]
    return Receipt(
        outcomes=Counter(outcome for outcome, _reference in results),
        references=tuple(sorted({reference for _outcome, reference in results if reference})),
    )


def _lock(source: AlertSource, alerts: Sequence[ParsedAlert], left_out: Iterable[str]) -> None:
    """One message at a time for each fingerprint and bucket, then the incidents in id order.

    Alerts that don't exist yet have no row to lock, hence advisory locks, taken in one order by everybody. Closed
    incidents are left alone: nothing here writes to them.
    """
    buckets = {queries.bucket_of(source, one) for one in alerts}
    fingerprints = {one.fingerprint for one in alerts} | set(left_out)
    names = buckets | {f"alert:{one}" for one in fingerprints}
    numbers = sorted(_number(source, one) for one in names)
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(n) from unnest(%s::bigint[]) n", [numbers])
    linked = (
        Incident.objects.select_for_update(no_key=True)
        .filter(pk__in=queries.incidents_of(source, fingerprints, buckets))
        .exclude(state__in=["closed", "cancelled"])
    )
    list(linked.order_by("pk").values_list("pk", flat=True))


def _number(source: AlertSource, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{source.pk}:{name}".encode(), digest_size=8).digest(), signed=True)


def _fire_all(source: AlertSource, alerts: list[ParsedAlert], by: Actor, at: datetime) -> list[tuple[Outcome, str]]:
    repeated = add_repeats(source, alerts, at)
    new = [one for one in alerts if one.fingerprint not in repeated]
    return [(Outcome.REPEATED, "") for _fingerprint in repeated] + [fire(source, one, by, at) for one in new]


def _recover_all(source: AlertSource, alerts: list[ParsedAlert], by: Actor, at: datetime) -> list[tuple[Outcome, str]]:
    results = [recover(source, one.fingerprint, one.payload, by, at) for one in alerts]
    unmatched = [one for one, (outcome, _) in zip(alerts, results, strict=True) if outcome is Outcome.UNMATCHED]
    keep_unknown(source, unmatched, at)
    return results
