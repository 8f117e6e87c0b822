"""Each number of the replayed real log equals a plain statement over its events, which knows no facts or tallies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from metrics import tasks
from metrics.definitions import METRICS
from metrics.queries import numbers
from metrics.queries.numbers import Asked
from servicedesk.replay import log, world
from servicedesk.replay.run import Replay, Report

FOLDER = Path(os.environ.get("ITSM_LOGS", Path(__file__).resolve().parents[3] / "shared" / "data" / "itsm"))
SAMPLE = FOLDER / "uci_sample_300_incidents.csv.gz"
WHOLE = FOLDER / "uci_incident_event_log_train.csv.gz"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

#: First and last resolution, the seconds between a resolution and its reopening, and how each incident began.
_EVENTS = """
with steps as (
    select about_id, kind, at, id, data,
        lead(kind) over w as next_kind, lead(at) over w as next_at
    from audit_event where about_type = 'incidents.incident'
      and kind in ('incident.resolved', 'incident.reopened')
    window w as (partition by about_id order by id)
), ends as (
    select about_id, max(at) filter (where kind = 'incident.resolved') as last_at,
        coalesce(sum(floor(extract(epoch from next_at - at)))
            filter (where kind = 'incident.resolved' and next_kind = 'incident.reopened'), 0)::bigint as between_s,
        count(*) filter (where kind = 'incident.reopened') as reopened,
        (array_agg(kind order by id desc))[1] as newest
    from steps group by about_id
), began as (
    select about_id, (data ->> 'reported_at')::timestamptz as reported_at, data ->> 'state' as state,
        data ->> 'channel' as channel
    from audit_event where kind = 'incident.opened'
), moves as (
    select about_id, count(*) filter (where data ->> 'old_team' is distinct from data ->> 'team') as moved
    from audit_event where kind = 'incident.assigned' group by about_id
), each as (
    select b.*, e.last_at, e.reopened, coalesce(m.moved, 0) as moved,
        floor(extract(epoch from e.last_at - b.reported_at))::bigint - e.between_s as resolution,
        (b.state = 'resolved' and b.channel in ('phone', 'chat', 'walk_in') and e.reopened = 0)::int as fcr
    from began b join ends e using (about_id) left join moves m using (about_id)
    where e.newest = 'incident.resolved'
)
"""
_SUMS = (
    _EVENTS
    + """
select count(*), percentile_disc(0.5) within group (order by {value}),
    percentile_disc(0.9) within group (order by {value}), sum({value})
from each where (last_at at time zone 'UTC')::date between %s and %s
"""
)


@pytest.fixture(scope="module", params=[pytest.param(SAMPLE), pytest.param(WHOLE, marks=pytest.mark.proof)])
def replayed(request: Any, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The log, carried through the actions and read by the sweep, once for all tests of this module."""
    from django.db import transaction

    if not request.param.exists():
        pytest.skip(f"{request.param} is not there (ITSM_LOGS names its folder)")
    with django_db_blocker.unblock(), transaction.atomic():
        with log.staged(request.param) as link:
            world.build(link, NOW)
            replay = Replay(world.found(), Report())
            for number, lines in log.incidents(link, 0, 1):
                replay.incident(number, lines)
        tasks.sweep(NOW)
        yield
        transaction.set_rollback(True)


RANGES = [
    (date(2016, 1, 1), date(2017, 12, 31)),
    (date(2016, 3, 1), date(2016, 3, 31)),
    (date(2016, 5, 2), date(2016, 5, 2)),
]


def _asked(statement: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()


def _ours(slug: str, first: date, last: date) -> Any:
    return numbers.numbers(Asked(first=first, last=last), [METRICS[slug]])[slug]


@pytest.mark.parametrize(("first", "last"), RANGES)
@pytest.mark.parametrize("slug", ["resolution", "reopened", "reassignments", "fcr"])
def test_a_metric_equals_its_statement_over_the_events(replayed: None, slug: str, first: date, last: date) -> None:
    value = {"resolution": "resolution", "reopened": "least(reopened, 1)", "reassignments": "moved", "fcr": "fcr"}[slug]
    n, median, p90, total = _asked(_SUMS.replace("{value}", value), first, last)
    ours = _ours(slug, first, last)
    assert (ours.n, ours.total) == (n, total or 0)
    if slug in ("resolution", "reassignments"):
        assert (ours.median, ours.p90) == (median, p90)


@pytest.mark.parametrize(("first", "last"), RANGES)
def test_compliance_equals_the_verdicts_of_the_clocks(replayed: None, first: date, last: date) -> None:
    statement = """
    select count(*) filter (where c.state = 'met' and c.breached_at is null), count(c.breached_at)
    from audit_event o join sla_clock c on c.incident_id = o.about_id and c.target = 'resolve'
    where o.kind = 'incident.opened'
      and ((o.data ->> 'reported_at')::timestamptz at time zone 'UTC')::date between %s and %s
    """
    met, breached = _asked(statement, first, last)
    ours = _ours("sla_resolve", first, last)
    assert (ours.total, ours.n) == (met, met + breached)


def test_every_report_is_counted_once_by_each_dimension(replayed: None) -> None:
    asked = Asked(first=RANGES[0][0], last=RANGES[0][1])
    (reported,) = _asked("select count(*) from audit_event where kind = 'incident.opened'")
    for dimension in ("channel", "team", "priority", "category"):
        assert sum(n for _, n in numbers.volume_by(asked, dimension)) == reported


def test_two_filters_at_once_say_what_the_tallies_add_up_to(replayed: None) -> None:
    first, last = RANGES[0]
    alone = numbers.numbers(Asked(first=first, last=last, priority=3))["resolution"]
    both = [
        numbers.numbers(Asked(first=first, last=last, priority=3, channel=channel))["resolution"]
        for channel in ("phone", "mail", "portal", "walk_in")
    ]
    assert (sum(one.n for one in both), sum(one.total for one in both)) == (alone.n, alone.total)


def test_a_rebuild_finds_no_difference(replayed: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("metrics_rebuild", check=True)
    assert " 0 differences, 0 that" in capsys.readouterr().out
