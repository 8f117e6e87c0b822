"""Writes the desk's settings as YAML: organisations, teams, categories, calendars, policies, rotas, templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actor import Actor, ActorKind
from servicedesk.blueprint import export

BY = Actor(kind=ActorKind.JOB, id="settings_export", label="settings export", roles=frozenset({"admin"}))


class Command(BaseCommand):
    help = "Write the settings as YAML, to standard output or a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", help="Where to; standard output when left out.")

    def handle(self, *args: Any, **options: Any) -> None:
        text = export(BY)
        if not options["file"]:
            self.stdout.write(text, ending="")
            return
        try:
            Path(options["file"]).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['file']} can't be written: {error.strerror}") from error
