"""People by a CSV file: tries it and says what would become of each row; with --apply it is done."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

import accounts.actions
from accounts.actions import ImportReport, RowResult
from accounts.roster import COLUMNS, MOST_BYTES
from audit.actions import ActionRefused
from audit.actor import SYSTEM
from audit.context import entry


class Command(BaseCommand):
    help = f"Creates and changes people by a CSV file with the columns {', '.join(COLUMNS)}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="The CSV file; - is standard input.")
        parser.add_argument("--apply", action="store_true", help="Do it; without it everything is only tried.")
        parser.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            content = _content(options["file"])
            with entry("command"):
                report = accounts.actions.import_people(
                    content=content, dry_run=not options["apply"], by=SYSTEM, at=timezone.now()
                )
        except OSError as error:
            raise CommandError(f"{options['file']} can't be read: {error.strerror}") from error
        except ActionRefused as refusal:
            raise CommandError(f"{refusal.field}: {refusal.detail} ({refusal.remedy})") from refusal
        self.stdout.write(_as_json(report) if options["json"] else _as_text(report))
        if report.outcomes.get("refused"):
            sys.exit(1)


def _content(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    with Path(name).open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _as_json(report: ImportReport) -> str:
    return json.dumps({**dataclasses.asdict(report), "outcomes": report.outcomes}, indent=2, ensure_ascii=False)


def _as_text(report: ImportReport) -> str:
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(report.outcomes.items())) or "nobody"
    last = "Nothing was changed: repeat it with --apply." if report.is_dry_run else "Done."
    return "\n".join([*filter(None, [report.note]), *map(_line, report.rows), f"{told}. {last}"])


def _line(row: RowResult) -> str:
    told = [f"{name}: {old} → {new}" for name, (old, new) in row.changes.items()]
    told += [f"{one['field']}: {one['cause']} ({one['remedy']})" for one in row.errors]
    return f"line {row.line} {row.email}: {row.outcome}" + (f" – {'; '.join(told)}" if told else "")
