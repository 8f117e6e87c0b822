"""`manage.py watchdog`: lists every open incident that nobody and nothing looks after; there are none."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from servicedesk.watchdog import violations


class Command(BaseCommand):
    help = "List open incidents without an owner and a clock, a team queue and an own clock, a page, or a wake-up."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        found = violations(timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps({"violations": found}, default=str))
        else:
            for one in found:
                self.stdout.write(f"{one['reference']} {one['state']}: {one['why']}")
            self.stdout.write(f"{len(found)} incidents are not looked after")
        if found:
            raise CommandError("the watchdog found incidents that nobody and nothing looks after")
