"""Rotations, layers and weekly shifts against tables of other products' expectations.

A small table of our own always runs; theirs where they are there.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from oncall.rotation import Claim, Kind, Override, Person, Rotation, gaps, handoffs, overlay, shifts
from sla.businesstime import first_instant

FOLDER = Path(
    os.environ.get("ONCALL_CASES") or Path(__file__).resolve().parents[2].parent / "shared" / "data" / "oncall"
)

SAMPLES = Path(__file__).resolve().parent / "samples"
Coverage = list[tuple[float, float, Person]]


def cases(kind: str) -> list[Any]:
    """The cases of every file that have the fields of this kind, whatever the file is called."""
    paths = [path for folder in (SAMPLES, FOLDER) for path in sorted(folder.glob("*.json"))]
    found = [case for path in paths for case in json.loads(path.read_text("utf-8"))]
    return [pytest.param(case, id=str(case.get("id", place))) for place, case in enumerate(found) if kind in case]


def test_the_tables_of_others_are_there() -> None:
    if not list(FOLDER.glob("*.json")):
        pytest.skip(f"no truth tables in {FOLDER} (set ONCALL_CASES): only our own sample runs")


def instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def unbroken(rows: Coverage) -> Coverage:
    """Rows of one person that touch or overlap are one: the tables and we may cut them differently."""
    joined: Coverage = []
    for start, stop, who in sorted(rows, key=lambda row: (str(row[2]), row[0])):
        if joined and joined[-1][2] == who and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1]), who
        else:
            joined.append((start, stop, who))
    return joined


@pytest.mark.parametrize("case", cases("expected_handoffs"))
def test_handoffs_are_those_of_the_table(case: dict[str, Any]) -> None:
    start = datetime.fromisoformat(case["rotation_start_local"])
    rotation = Rotation(case["tz"], start, Kind(case["rotation"]), case["shift_length"], ("A", "B", "C"))
    walk = (first_instant(case["tz"], datetime.fromisoformat(case[f"walk_{end}_local"])) for end in ("from", "to"))
    found = [at.astimezone(ZoneInfo(case["tz"])).isoformat() for at in handoffs(rotation, *walk)]
    assert found == case["expected_handoffs"]


@pytest.mark.parametrize("case", cases("overrides"))
def test_layers_and_overrides_give_the_row_of_the_table(case: dict[str, Any]) -> None:
    midnight = datetime(2024, 6, 3, tzinfo=UTC)

    def at(hour: float) -> datetime:
        return midnight + timedelta(hours=hour)

    def hour(at: datetime) -> float:
        return (at - midnight) / timedelta(hours=1)

    claims = [Claim(at(start), at(start + length), who, priority) for who, priority, start, length in case["shifts"]]
    overrides = [Override(at(start), at(start + length), who) for who, start, length in case["overrides"]]
    stops = [claim.stop for claim in claims] + [override.stop for override in overrides]
    end = max(at(24), *stops)
    rows = overlay(claims, overrides, midnight, end)
    expected = [(start, start + length, who) for start, length, who in case["expected"]]
    assert unbroken([(hour(row.start), hour(row.stop), row.who) for row in rows]) == unbroken(
        [row for row in expected if row[2] is not None]
    )
    empty = {(hour(low), hour(high)) for low, high in gaps(rows, midnight, end)}
    assert {row[:2] for row in expected if row[2] is None} <= empty


@pytest.mark.parametrize("case", cases("duration_days"))
def test_weekly_shifts_keep_the_wall_clock_over_a_change(case: dict[str, Any]) -> None:
    start = datetime.fromisoformat(case["start_local"])
    begin = start.weekday() * 86_400 + start.hour * 3600 + start.minute * 60 + start.second
    restriction = (begin, begin + round(case["duration_days"] * 86_400))
    rotation = Rotation(case["tz"], start, Kind.WEEKLY, 1, ("A",), restrictions=(restriction,))
    first = first_instant(case["tz"], start)
    query = instant(case["query_from"]), instant(case["query_to"])
    found = [(shift.start, shift.stop) for shift in shifts(rotation, *query) if shift.start >= first]
    assert found == [(instant(low), instant(high)) for low, high in case["expected"]]
