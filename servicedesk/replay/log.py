"""The log as values: rows parsed and checked, grouped by incident in bounded memory, whatever the file's order."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import gzip
import io
import json
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

#: What the log writes for an unknown value.
UNKNOWN = "?"
REQUIRED = ("number", "incident_state", "opened_at", "sys_updated_at")
_FORMATS = ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
_BATCH = 5000


class BadLog(ValueError):
    """The file can't be taken as a log; the text says where and what to do."""


class BadRow(ValueError):
    """One row can't be taken; the text is the reason that the report counts."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One line of the log: what the incident looked like after one update. Unknown values are empty."""

    line: int
    number: str
    state: str
    at: datetime
    opened_at: datetime
    closed_at: datetime | None
    caller: str
    team: str
    assignee: str
    category: str
    subcategory: str
    impact: int | None
    urgency: int | None
    priority: int | None
    contact: str
    closing_code: str
    made_sla: bool | None
    reassignments: int | None
    reopens: int | None


def moment(text: str) -> datetime | None:
    """An instant of the log; its times carry no zone and are taken as UTC."""
    if text in ("", UNKNOWN):
        return None
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise BadRow(f"unreadable time {text[:40]!r}")


def _needed(text: str, name: str) -> datetime:
    found = moment(text)
    if found is None:
        raise BadRow(f"no {name}")
    return found


def _rank(text: str) -> int | None:
    """`2 - Medium` is 2."""
    head = text.split("-", 1)[0].strip()
    return int(head) if head.isdigit() else None


def _count(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def parse(line: int, values: dict[str, str]) -> Row:
    """One row; refused (BadRow) when it has no number, state or time."""

    def known(name: str) -> str:
        text = (values.get(name) or "").strip()
        return "" if text == UNKNOWN else text.replace("\0", "")

    if not known("number"):
        raise BadRow("no number")
    made = known("made_sla").lower()
    return Row(
        line=line,
        number=known("number"),
        state=known("incident_state"),
        at=_needed(known("sys_updated_at"), "sys_updated_at"),
        opened_at=_needed(known("opened_at"), "opened_at"),
        closed_at=moment(known("closed_at")),
        caller=known("caller_id"),
        team=known("assignment_group"),
        assignee=known("assigned_to"),
        category=known("category"),
        subcategory=known("subcategory"),
        impact=_rank(known("impact")),
        urgency=_rank(known("urgency")),
        priority=_rank(known("priority")),
        contact=known("contact_type").lower(),
        closing_code=known("closed_code"),
        made_sla={"true": True, "false": False}.get(made),
        reassignments=_count(known("reassignment_count")),
        reopens=_count(known("reopen_count")),
    )


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with (
            opener(path, "rb") as raw,
            io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="") as text,
        ):
            reader = csv.DictReader(text)
            missing = [name for name in REQUIRED if name not in (reader.fieldnames or [])]
            if missing:
                raise BadLog(f"{path.name} has no column {', '.join(missing)}: a ServiceNow-style event log is needed")
            for values in reader:
                yield reader.line_num, {key: value for key, value in values.items() if isinstance(value, str)}
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise BadLog(f"{path.name} can't be read: {error}") from error


@contextlib.contextmanager
def staged(path: Path) -> Iterator[sqlite3.Connection]:
    """The log on disk, indexed by incident: memory stays the same for any length of log and any order of its rows."""
    with tempfile.NamedTemporaryFile(prefix="replay-", suffix=".sqlite") as file:
        link = sqlite3.connect(file.name)
        try:
            link.execute("pragma journal_mode=off")
            link.execute("pragma synchronous=off")
            link.execute("create table row (number text, shard integer, line integer, payload text)")
            batch: list[tuple[str, int, int, str]] = []
            for line, values in _lines(path):
                number = values.get("number", "")
                batch.append((number, zlib.crc32(number.encode()), line, json.dumps(values)))
                if len(batch) >= _BATCH:
                    link.executemany("insert into row values (?, ?, ?, ?)", batch)
                    batch.clear()
            link.executemany("insert into row values (?, ?, ?, ?)", batch)
            link.execute("create index by_number on row (number, line)")
            link.commit()
            yield link
        finally:
            link.close()


def incidents(
    link: sqlite3.Connection, shard: int, shards: int
) -> Iterator[tuple[str, list[tuple[int, dict[str, str]]]]]:
    """Each incident of one shard with its rows in the order of the file."""
    current, rows = None, []
    found = link.execute(
        "select number, line, payload from row where shard % ? = ? order by number, line", (shards, shard)
    )
    for number, line, payload in found:
        if number != current and current is not None:
            yield current, rows
            rows = []
        current = number
        rows.append((line, json.loads(payload)))
    if current is not None:
        yield current, rows
