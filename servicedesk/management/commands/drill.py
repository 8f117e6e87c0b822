"""`manage.py drill`: an alert becomes a confirmed response through the real pipeline, each step with its lateness."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from audit.context import entry
from servicedesk.drill.stage import set_up
from servicedesk.drill.story import Drill, report


class Command(BaseCommand):
    help = (
        "Alert, unseen page, second level, acknowledgement, recovery, post-mortem; ends non-zero when a step is late."
    )
    needs = "worker"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument("--scale", type=float, default=1 / 60, help="policy delays times this (default 1/60)")
        parser.add_argument("--late-after", type=float, default=60.0, help="seconds of lateness that fail a step (60)")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["scale"] <= 1:
            raise CommandError("--scale takes a number above 0 and up to 1")
        began = timezone.now()
        with entry("command"):
            drill = Drill(set_up(began), scale=options["scale"], late_after=options["late_after"])
            ok = drill.run()
        result = report(drill, ok, began)
        if options["json"]:
            self.stdout.write(json.dumps(result, indent=1))
        else:
            for step in drill.steps:
                late = "" if step.lateness_s is None else f"{step.lateness_s:8.3f} s late"
                self.stdout.write(f"{'ok  ' if step.ok else 'FAIL'} {step.name:45} {late}  {step.detail}")
        if not ok:
            raise CommandError("the drill failed")
