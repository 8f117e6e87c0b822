"""People as a spreadsheet writes them: bytes to rows, with what can't be taken named by line and column."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Iterator, Mapping

from audit.texts import is_blank

COLUMNS = (
    "email", "name", "phone", "time_zone", "locale", "is_vip", "organisation", "site", "roles", "teams",
)  # fmt: skip
MOST_BYTES = 2 * 1024 * 1024
MOST_ROWS = 5_000
#: A cell that begins like this is run as a formula by the spreadsheet that opens it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_YES, _NO = frozenset({"1", "true", "yes", "si", "sí", "sim"}), frozenset({"0", "false", "no", "nao", "não"})
_LISTED = re.compile(r"[|,;\s]+")


class UnreadableSheet(ValueError):
    """The file as a whole can't be read; `place` is a line or a column."""

    def __init__(self, problem: str, *, place: str = "file", remedy: str = "correct the file") -> None:
        super().__init__(problem)
        self.problem, self.place, self.remedy = problem, place, remedy


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One person as the sheet has it; an empty cell is no value. `problems` are (column, cause)."""

    line: int
    values: Mapping[str, str]
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def email(self) -> str:
        return self.values.get("email", "").lower()

    @property
    def roles(self) -> list[str]:
        return listed(self.values.get("roles", ""))

    @property
    def teams(self) -> dict[str, bool]:
        """Short name -> whether the person leads it, which a star says."""
        return {one.rstrip("*"): one.endswith("*") for one in listed(self.values.get("teams", ""))}


@dataclasses.dataclass(frozen=True, slots=True)
class Sheet:
    rows: tuple[Row, ...]
    encoding: str
    #: What the reader should look at, because it was guessed.
    note: str = ""


def listed(text: str) -> list[str]:
    return [one for one in _LISTED.split(text.strip()) if one]


def yes_or_no(text: str) -> bool | None:
    """None for what is neither."""
    given = text.strip().lower()
    return True if given in _YES else False if given in _NO else None


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def text_of(content: bytes) -> str:
    """The file as text, however it was encoded."""
    return _decoded(content)[0]


def read(content: bytes) -> Sheet:
    """The rows of a CSV file: comma, semicolon or tab, with a first line that names the columns."""
    if len(content) > MOST_BYTES:
        raise UnreadableSheet(f"the file has more than {MOST_BYTES} bytes", remedy="split it")
    text, encoding, note = _decoded(content)
    if "\x00" in text:
        raise UnreadableSheet("the file holds NUL, so it is no text", remedy="save it as CSV, UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[Row] = []
    try:
        header = _header(next(reader, []))
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(_row(reader.line_num, header, cells))
            if len(rows) > MOST_ROWS:
                raise UnreadableSheet(f"the file has more than {MOST_ROWS} people", remedy="split it")
    except csv.Error as error:
        raise UnreadableSheet(f"this is no CSV: {error}", place=f"line {reader.line_num}") from error
    return Sheet(tuple(_once_each(rows)), encoding, note)


def _decoded(content: bytes) -> tuple[str, str, str]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16"), "UTF-16", ""
        except UnicodeDecodeError as error:
            raise UnreadableSheet("the file is not the UTF-16 that it begins as") from error
    try:
        return content.decode("utf-8-sig"), "UTF-8", ""
    except UnicodeDecodeError:
        note = "The file is not UTF-8 and was read as Windows-1252: check the accented letters."
        return content.decode("cp1252", "replace"), "Windows-1252", note


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max((",", ";", "\t"), key=first.count)


def _header(cells: list[str]) -> list[str]:
    names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
    if "email" not in names:
        raise UnreadableSheet("the first line names no column “email”", place="line 1", remedy=_KNOWN)
    for name in names:
        if name not in COLUMNS:
            raise UnreadableSheet(f"there is no column “{name[:40]}”", place="line 1", remedy=_KNOWN)
        if names.count(name) > 1:
            raise UnreadableSheet(f"the column “{name}” stands there twice", place="line 1", remedy="remove one")
    return names


_KNOWN = f"name columns of: {', '.join(COLUMNS)}"


def _row(line: int, header: list[str], cells: list[str]) -> Row:
    problems = [] if len(cells) <= len(header) else [("", f"the line has {len(cells)} cells, not {len(header)}")]
    values: dict[str, str] = {}
    for name, cell in zip(header, cells, strict=False):
        value = cell.strip()
        # What a spreadsheet (and our own export) writes before a cell that is no formula.
        value = value[1:] if value.startswith("'") and value[1:].startswith(_FORMULA) else value
        if value.startswith(_FORMULA) and not (name == "phone" and value.startswith("+")):
            problems.append((name, "the cell begins like a formula"))
        elif not is_blank(value):
            values[name] = value
    if "is_vip" in values and yes_or_no(values["is_vip"]) is None:
        problems.append(("is_vip", "give yes or no"))
    if "email" not in values and not any(name == "email" for name, _ in problems):
        problems.append(("email", "every person needs a mail address"))
    return Row(line, values, tuple(problems))


def _once_each(rows: list[Row]) -> Iterator[Row]:
    seen: dict[str, int] = {}
    for row in rows:
        first = seen.setdefault(row.email, row.line)
        again = (("email", f"the address stands in line {first} already"),) if row.email and first != row.line else ()
        yield dataclasses.replace(row, problems=(*row.problems, *again))
