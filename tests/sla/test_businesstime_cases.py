"""Business time against tables of other products' expectations; where peers disagree, against our own rules.

A small table of our own always runs; theirs where they are there.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sla import businesstime
from sla.businesstime import WorkCalendar
from tests.sla import naive_businesstime as naive

FOLDER = Path(
    os.environ.get("BUSINESS_TIME_CASES")
    or Path(__file__).resolve().parents[2].parent / "shared" / "data" / "business_time"
)
SAMPLES = Path(__file__).resolve().parent / "samples"
CASES: list[dict[str, Any]] = [
    case
    for folder in (SAMPLES, FOLDER)
    for path in sorted(folder.glob("*.json"))
    for case in json.loads(path.read_text("utf-8"))
]


def test_the_tables_of_others_are_there() -> None:
    if not list(FOLDER.glob("*.json")):
        pytest.skip(f"no truth tables in {FOLDER} (set BUSINESS_TIME_CASES): only our own sample runs")


OPERATIONS = ("add", "add_days", "add_days_end_of_day", "between", "is_open", "next_open")


def instant(text: str, zone: str) -> datetime:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def run(module: Any, case: dict[str, Any]) -> datetime | int | bool:
    """One case by the module under test or by the naive reference."""
    assert case["op"] in OPERATIONS
    calendar = WorkCalendar.from_json(case | {"zone": case["tz"]})
    arguments: list[Any] = [calendar, instant(case["start"], case["tz"])]
    if case["op"] == "between":
        arguments.append(instant(case["stop"], case["tz"]))
    elif case["op"].startswith("add"):
        arguments.append(case["amount_s"])
    if case["op"] in ("add", "between"):
        arguments.append([(instant(start, "UTC"), instant(stop, "UTC")) for start, stop in case["pauses"]])
    result: datetime | int | bool = getattr(module, case["op"])(*arguments)
    return result


def as_table(result: datetime | int | bool, case: dict[str, Any]) -> datetime | int | bool:
    """The result in the table's terms: local time where the table gives no offset."""
    if isinstance(result, datetime) and datetime.fromisoformat(case["expected"]).tzinfo is None:
        return result.astimezone(ZoneInfo(case["tz"])).replace(tzinfo=None)
    return result


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_business_time_agrees_with_the_table_or_with_our_rule_where_peers_disagree(case: dict[str, Any]) -> None:
    ours = run(businesstime, case)
    assert ours == run(naive, case)
    if not case["note"].startswith("CONTESTED"):
        expected = case["expected"]
        assert as_table(ours, case) == (datetime.fromisoformat(expected) if isinstance(expected, str) else expected)
