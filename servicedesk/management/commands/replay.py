"""`manage.py replay FILE`: carries a ServiceNow-style event log through the desk's actions, and prints what agreed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from audit.context import entry
from servicedesk.replay import log, world
from servicedesk.replay.run import Replay, Report, known_numbers

#: Refused rows that are printed one by one; the reasons are counted for all.
_LISTED = 1000


class Command(BaseCommand):
    help = (
        "Import a ServiceNow-style event log (CSV, .gz allowed) with its own times. Sends nothing, pages nobody; "
        "an interrupted import goes on where it stopped. Prints JSON."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the log: number, incident_state, opened_at, sys_updated_at, ...")
        parser.add_argument("--shards", type=int, default=2, help="processes that work side by side (default 2)")
        parser.add_argument(
            "--shard", type=int, default=None, help="work on one shard only; used by the command itself"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        shards: int = options["shards"]
        if not file.is_file():
            raise CommandError(f"there is no file {file}")
        if not 1 <= shards <= 64:
            raise CommandError("--shards takes 1 to 64")
        try:
            if options["shard"] is None:
                self._whole(file, shards)
            else:
                self._shard(file, options["shard"], shards)
        except log.BadLog as error:
            raise CommandError(str(error)) from error

    def _whole(self, file: Path, shards: int) -> None:
        began = time.monotonic()
        with log.staged(file) as link, entry("import"):
            world.build(link, timezone.now())
        report = Report()
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "replay", str(file), "--shards", str(shards)]
        running = [
            subprocess.Popen([*command, "--skip-checks", "--shard", str(shard)], stdout=subprocess.PIPE, text=True)  # noqa: S603  # nosec B603: our own command
            for shard in range(shards)
        ]
        printed = [one.communicate()[0] for one in running]
        failed = [shard for shard, one in enumerate(running) if one.returncode]
        if failed:
            raise CommandError(f"shard {failed[0]} ended with an error (above); run the same command again to go on")
        for text in printed:
            report.add(json.loads(text))
        self.stdout.write(json.dumps(_shown(report, time.monotonic() - began), indent=1))

    def _shard(self, file: Path, shard: int, shards: int) -> None:
        with connection.cursor() as cursor:
            # An import may be repeated: it needs no flush to disk at each commit.
            cursor.execute("set synchronous_commit = off")
        report = Report()
        replay = Replay(world.found(), report)
        done = known_numbers()
        with log.staged(file) as link, entry("import"):
            for number, lines in log.incidents(link, shard, shards):
                if number in done:
                    report.skipped += 1
                else:
                    replay.incident(number, lines)
        self.stdout.write(json.dumps(report.as_json()))


def _share(agreed: int, compared: int) -> float | None:
    return round(100 * agreed / compared, 3) if compared else None


def _shown(report: Report, seconds: float) -> dict[str, Any]:
    """The printed report; agreement in percent of what could be compared."""
    agreement = {name: _share(report.agreed[name], count) for name, count in sorted(report.compared.items())}
    return {
        "incidents": report.incidents,
        "skipped": report.skipped,
        "events": report.events,
        "accepted": report.accepted,
        "accepted_percent": _share(report.accepted, report.events),
        "refused": dict(report.refused.most_common()),
        "refused_rows": report.listed[:_LISTED],
        "effective_changes": report.effective,
        "history_rows": report.history_rows,
        "compared": dict(sorted(report.compared.items())),
        "agreement_percent": agreement,
        "seconds": round(seconds, 1),
    }
