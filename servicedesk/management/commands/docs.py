"""`manage.py docs`: writes the generated pages of the documentation, or says which are out of date."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from servicedesk import reference


class Command(BaseCommand):
    help = "Write docs/reference, docs/flows.md and docs/openapi.yaml from the code."
    requires_system_checks: list[str] = []
    needs = "nothing"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.BASE_DIR / "docs"
        if options["check"]:
            stale = reference.differences(folder)
            if stale:
                raise CommandError(f"out of date: {', '.join(stale)}; run `manage.py docs` and commit")
            return
        for name, page in reference.PAGES.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(page(), encoding="utf-8")
            self.stdout.write(f"wrote docs/{name}")
