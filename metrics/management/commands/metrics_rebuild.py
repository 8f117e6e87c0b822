"""`manage.py metrics_rebuild [--check]`: computes every number anew from the events and prints what differs."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

import metrics.actions
from audit.actor import job
from audit.context import entry
from audit.queries import database_time
from incidents.models import Incident
from metrics.queries import checking, computing

BY = job("metrics.rebuild")
BATCH = 1000


class Command(BaseCommand):
    help = "Computes facts and tallies of all incidents anew, prints every difference, and without --check mends it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail when something differs")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        tier_at, found, waiting, total = computing.tiers(), 0, 0, 0
        with entry("job"):
            for ids in self._batches():
                lines, late = checking.facts_that_differ(ids, tier_at)
                if not check:
                    metrics.actions.rebuild_batch(ids=ids, by=BY, at=database_time())
                found += self._say(lines) + self._say(checking.recurrences_that_differ(ids) if check else [])
                waiting, total = waiting + late, total + len(ids)
            found += sum(self._say(checking.tallies_that_differ(days)) for days in checking.days_to_check())
            if not check:
                self._mend()
        self.stdout.write(f"{total} incidents, {found} differences, {waiting} that the sweep has yet to read")
        if check and found:
            raise CommandError("what is kept differs from the events; run metrics_rebuild without --check to mend it")

    def _batches(self) -> Iterator[list[int]]:
        """All incidents in the order of their ids, a thousand at a time."""
        last = 0
        while ids := list(Incident.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
            yield ids
            last = ids[-1]

    def _say(self, lines: list[str]) -> int:
        for line in lines:
            self.stdout.write(line)
        return len(lines)

    def _mend(self) -> None:
        metrics.actions.rebuild_end(by=BY, at=database_time())
        while metrics.actions.tally_stale_days(by=BY, at=database_time()):
            pass
