"""Compares a YAML file with the desk's settings; with --apply all of what differs is done, or nothing."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.actor import Actor, ActorKind
from audit.context import entry
from servicedesk.blueprint import Change, Outcome, UnreadableBlueprint, import_settings

BY = Actor(kind=ActorKind.JOB, id="settings_import", label="settings import", roles=frozenset({"admin"}))


class Command(BaseCommand):
    help = "Compare a YAML file with the settings; with --apply take it over as a whole."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="The YAML file; - is standard input.")
        parser.add_argument("--apply", action="store_true", help="Do it; without it everything is only tried.")
        parser.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            content = sys.stdin.buffer.read() if options["file"] == "-" else Path(options["file"]).read_bytes()
            with entry("command"):
                outcome = import_settings(content=content, by=BY, at=timezone.now(), dry_run=not options["apply"])
        except OSError as error:
            raise CommandError(f"{options['file']} can't be read: {error.strerror}") from error
        except UnreadableBlueprint as error:
            raise CommandError(f"{error.place}: {error.problem} ({error.remedy})") from error
        if options["json"]:
            self.stdout.write(json.dumps(dataclasses.asdict(outcome), indent=2, ensure_ascii=False, default=str))
        else:
            self._tell(outcome)
        if outcome.refused:
            raise CommandError(f"{len(outcome.refused)} rows are refused; nothing was changed")

    def _tell(self, outcome: Outcome) -> None:
        for change in outcome.changes:
            self.stdout.write(_line(change))
        last = "Done." if outcome.is_done else "Nothing was changed: repeat it with --apply."
        self.stdout.write(f"{len(outcome.changes)} changes. {last}")


def _value(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def _line(change: Change) -> str:
    lines = [f"{change.outcome} {change.section}: {change.key}"]
    lines += [f"  {name}: {_value(old)} → {_value(new)}" for name, (old, new) in change.fields.items()]
    if change.error:
        lines.append(f"  {change.error['field']}: {change.error['cause']} ({change.error['remedy']})")
    return "\n".join(lines)
