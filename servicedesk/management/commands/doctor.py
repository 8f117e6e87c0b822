"""`manage.py doctor`: settings that are allowed and yet will hurt; ends non-zero on an error or a warning."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from servicedesk.doctor import Level, examine


class Command(BaseCommand):
    help = "Look for settings that will hurt: rotas with gaps, policies with nobody, orphaned rules, unused categories."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        found = examine(timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps({"findings": [one.as_json() for one in found]}, indent=2, ensure_ascii=False))
        else:
            for one in found:
                names = f" {', '.join(one.names)}{' …' if one.count > len(one.names) else ''}" if one.names else ""
                where = f"{settings.SERVICEDESK_URL}{one.link}"
                self.stdout.write(f"{one.level}: {one.text} ({one.count}){names}\n  {where}")
            self.stdout.write(f"{len(found)} findings")
        bad = sum(one.level != Level.NOTE for one in found)
        if bad:
            raise CommandError(f"{bad} of them should be mended")
