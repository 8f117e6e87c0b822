"""The replay: a log's history through the desk's own actions, with what agrees counted."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit.models import Event
from incidents.models import Incident
from notify.models import Message
from oncall.models import Page
from servicedesk.replay import log, world
from servicedesk.replay.run import Replay, Report
from sla.models import Clock
from tests.flows.test_killed import database_address

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FOLDER = Path(os.environ.get("ITSM_LOGS", Path(__file__).resolve().parents[3] / "shared" / "data" / "itsm"))
WHOLE = FOLDER / "uci_incident_event_log_train.csv.gz"
SAMPLE = FOLDER / "uci_sample_300_incidents.csv.gz"
HEAD = (
    "number,incident_state,reassignment_count,reopen_count,made_sla,caller_id,opened_at,sys_updated_at,contact_type,"
    "category,subcategory,impact,urgency,priority,assignment_group,assigned_to,closed_code,closed_at"
)


def _row(number: str, state: str, at: str, **more: str) -> dict[str, str]:
    """A line of a log of our own making, in the shape of the real one."""
    values = {
        "number": number, "incident_state": state, "reassignment_count": "0", "reopen_count": "0", "made_sla": "true",
        "caller_id": "Caller 1", "opened_at": "1/2/2016 09:00", "sys_updated_at": at, "contact_type": "Phone",
        "category": "Category 1", "subcategory": "Subcategory 1", "impact": "2 - Medium", "urgency": "2 - Medium",
        "priority": "3 - Moderate", "assignment_group": "Group 1", "assigned_to": "?", "closed_code": "code 1",
        "closed_at": "9/2/2016 09:00",
    }  # fmt: skip
    return values | more


def _file(folder: Path, rows: list[dict[str, str]]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEAD.split(","))
    writer.writeheader()
    writer.writerows(rows)
    path = folder / "log.csv.gz"
    path.write_bytes(gzip.compress(text.getvalue().encode()))
    return path


def _replayed(path: Path) -> Report:
    report = Report()
    with log.staged(path) as link:
        world.build(link, NOW)
        replay = Replay(world.found(), report)
        for number, lines in log.incidents(link, 0, 1):
            replay.incident(number, lines)
    return report


_TAKEN = {"assignment_group": "Group 2", "assigned_to": "Resolver 1", "reassignment_count": "1"}
_AGAIN = {**_TAKEN, "reopen_count": "1"}
STORY = [
    _row("INC1", "New", "1/2/2016 09:05"),
    _row("INC1", "New", "1/2/2016 09:06"),
    _row("INC1", "Active", "1/2/2016 10:00", **_TAKEN),
    _row("INC1", "Awaiting User Info", "1/2/2016 11:00", **_TAKEN),
    _row("INC1", "Resolved", "2/2/2016 11:00", **_TAKEN),
    _row("INC1", "Active", "3/2/2016 09:00", **_AGAIN),
    _row("INC1", "Resolved", "3/2/2016 11:00", **_AGAIN),
    _row("INC1", "Closed", "9/2/2016 09:00", **_AGAIN),
]


@pytest.mark.django_db
def test_a_log_ends_as_it_says_and_tells_nobody(tmp_path: Path) -> None:
    report = _replayed(_file(tmp_path, STORY))
    incident = Incident.objects.get(external_ref="INC1")
    assert (incident.state, incident.reopen_count, incident.reassignment_count, incident.priority) == (
        "closed",
        1,
        1,
        3,
    )
    assert report.accepted == len(STORY)
    assert report.refused == {}
    assert report.agreed == report.compared
    assert (Message.objects.count(), Page.objects.count()) == (0, 0)
    clock = Clock.objects.filter(incident=incident, target="resolve").latest("cycle")
    assert clock.stopped_at == datetime(2016, 2, 9, 9, 0, tzinfo=UTC)


@pytest.mark.django_db
def test_a_row_that_changes_nothing_counts_and_writes_nothing(tmp_path: Path) -> None:
    report = _replayed(_file(tmp_path, STORY))
    incident = Incident.objects.get(external_ref="INC1")
    assert incident.history.count() == incident.version == report.effective == report.history_rows
    opened = Event.objects.filter(about_type="incidents.incident", about_id=incident.pk).order_by("id")
    assert datetime(2016, 2, 1, 9, 6, tzinfo=UTC) not in {one.at for one in opened}


@pytest.mark.django_db
def test_a_step_out_of_closed_is_recorded_as_reopened_by_import(tmp_path: Path) -> None:
    rows = [
        *STORY,
        _row(
            "INC1", "Active", "10/2/2016 09:00", assignment_group="Group 2", assigned_to="Resolver 1", reopen_count="2"
        ),
    ]
    _replayed(_file(tmp_path, rows))
    incident = Incident.objects.get(external_ref="INC1")
    assert (incident.state, incident.reopen_count) == ("in_progress", 2)
    last = Event.objects.filter(about_id=incident.pk, kind="incident.reopened").latest("id")
    assert last.data["by_import"] is True


@pytest.mark.django_db
def test_an_unknown_state_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    rows = [STORY[0], _row("INC1", "-100", "1/2/2016 09:30"), *STORY[2:]]
    report = _replayed(_file(tmp_path, rows))
    assert dict(report.refused) == {"unknown state '-100'": 1}
    assert report.listed[0]["incident"] == "INC1"
    assert Incident.objects.get(external_ref="INC1").state == "closed"


@pytest.mark.django_db
@pytest.mark.parametrize("broken", [{"sys_updated_at": "yesterday"}, {"opened_at": "?"}, {"number": ""}])
def test_a_broken_row_is_counted_by_its_reason(tmp_path: Path, broken: dict[str, str]) -> None:
    report = _replayed(_file(tmp_path, [{**STORY[0], **broken}]))
    assert sum(report.refused.values()) == 1
    assert report.accepted == 0


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n", gzip.compress(b"number\nINC1\n", mtime=0), b"\x1f\x8bbroken"],
    ids=["empty", "other columns", "too few columns", "no gzip"],
)
def test_a_file_that_is_no_log_is_refused_with_the_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(content)
    with pytest.raises(log.BadLog, match=r"log\.csv\.gz"), log.staged(path):
        pass


def test_rows_of_one_incident_are_found_together_whatever_the_order(tmp_path: Path) -> None:
    rows = [
        _row("INC1", "New", "1/2/2016 09:05"),
        _row("INC2", "New", "1/2/2016 09:05"),
        _row("INC1", "Active", "1/2/2016 10:05"),
    ]
    with log.staged(_file(tmp_path, rows)) as link:
        found: dict[str, int] = {number: len(lines) for number, lines in log.incidents(link, 0, 1)}
        shards: list[Any] = [number for shard in range(3) for number, _lines in log.incidents(link, shard, 3)]
    assert found == {"INC1": 2, "INC2": 1}
    assert sorted(shards) == ["INC1", "INC2"]


@pytest.mark.django_db
@pytest.mark.skipif(not SAMPLE.exists(), reason=f"no event log at {SAMPLE.name}: set ITSM_LOGS to its folder")
def test_the_real_sample_agrees() -> None:
    report = _replayed(SAMPLE)
    share = {name: report.agreed[name] / count for name, count in report.compared.items()}
    assert report.accepted / report.events >= 0.998
    assert (share["state"], share["reopens"], share["priority"], share["matrix"]) == (1, 1, 1, 1)
    assert share["reassignments"] >= 0.995
    assert share["sla_p3"] >= 0.992
    assert report.effective == report.history_rows


@pytest.mark.proof
@pytest.mark.skipif(not WHOLE.exists(), reason=f"no event log at {WHOLE.name}: set ITSM_LOGS to its folder")
def test_the_whole_log_agrees_and_a_second_run_changes_nothing(committed_db: None) -> None:
    """By the command itself, in shards and with commits, as an admin would run it."""
    first = _command(WHOLE)
    share = first["agreement_percent"]
    assert first["accepted_percent"] >= 99.8
    assert (share["state"], share["reopens"], share["priority"], share["matrix"]) == (100, 100, 100, 100)
    assert share["reassignments"] >= 99.5
    assert share["sla_p3"] >= 99.2
    assert share["sla_p4"] >= 99.8
    assert first["effective_changes"] == first["history_rows"]
    again = _command(WHOLE)
    assert (again["skipped"], again["effective_changes"]) == (first["incidents"], 0)
    assert (Message.objects.count(), Page.objects.count()) == (0, 0)


def _command(path: Path) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "manage.py", "replay", str(path)],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "SERVICEDESK_CLUSTER": "test", "DATABASE_URL": database_address()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return dict(json.loads(ran.stdout))
