"""`manage.py up`: the whole desk in one terminal, for a trial or for development."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management import CommandError, call_command, get_commands
from django.core.management.base import BaseCommand
from django.db import connection

from servicedesk.server import ServerError, keeper, locations
from servicedesk.server.commands import migrate_if_empty
from servicedesk.server.desk import Desk

DEFAULT_PORT = 8000


class Command(BaseCommand):
    """Starts PostgreSQL, broker, web, worker and beat in order, keeps them up, and stops them all together."""

    help = "Runs the desk with all its servers; Ctrl-C stops everything."
    needs = "nothing"
    stopping = False
    interruptible_parent: int | None = None

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave a fresh database empty")
        parser.add_argument("--with-parent", action="store_true", help="end when the starting process ends")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["with_parent"]:
            keeper.death_signal(signal.SIGTERM, os.getppid())()
            self.interruptible_parent = os.getppid() if _catches_interrupt(os.getppid()) else None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # `nohup` ignores the hang-up on purpose; a shell ignores Ctrl-C for what it starts in the background.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._stop_soon)
        port = _port()
        desk = Desk(locations(), os.environ, os.environ.get("HOST") or "127.0.0.1", port, self.say)
        try:
            self._run(desk, with_demo=not options["no_demo"])
        except KeyboardInterrupt:
            pass
        except ServerError as error:
            raise CommandError(str(error)) from error
        finally:
            # A second Ctrl-C must not leave half of it running.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            if desk.parts:
                self.say("Stopping")
            desk.stop()

    def _stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True
        # Interrupts the start too: a migration or the demo data may take seconds.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    def say(self, line: str) -> None:
        # A closed terminal must not keep the desk from stopping what it started.
        with contextlib.suppress(OSError):
            self.stdout.write(line)
            self.stdout.flush()

    def _run(self, desk: Desk, *, with_demo: bool) -> None:
        begun = time.monotonic()
        desk.start_stores()
        is_fresh = migrate_if_empty()
        if not is_fresh:
            call_command("migrate", verbosity=0, interactive=False)
        sign_ins = self._seed(desk, is_fresh=is_fresh, with_demo=with_demo)
        connection.close()
        desk.start_processes()
        self.say(f"\nThe desk answers on http://localhost:{desk.port} after {time.monotonic() - begun:.0f} s.")
        if sign_ins:
            self.say(sign_ins)
        self.say("Ctrl-C stops everything; the data stays.\n")
        while not self.stopping and not self._is_parent_interrupted():
            desk.watch()
            time.sleep(0.3)

    def _is_parent_interrupted(self) -> bool:
        """Whether `make`, and only `make`, got a Ctrl-C: it then stops catching it and waits for us, for ever."""
        return self.interruptible_parent is not None and not _catches_interrupt(self.interruptible_parent)

    def _seed(self, desk: Desk, *, is_fresh: bool, with_demo: bool) -> str:
        """Fill a fresh database once, and return what the demo said about signing in."""
        database = hashlib.sha256(os.environ.get("DATABASE_URL", "").encode()).hexdigest()[:10]
        unfinished = desk.places.var / f"demo-unfinished-{database}"
        said = desk.places.var / f"sign-ins-{database}.txt"
        if is_fresh:
            said.unlink(missing_ok=True)
        if is_fresh and with_demo:
            unfinished.touch()
        if with_demo and unfinished.exists() and "demo" in get_commands():
            self.say("Making the demo data")
            self._demo(said)
            unfinished.unlink()
        return said.read_text() if said.exists() else ""

    def _demo(self, said: Path) -> None:
        text = io.StringIO()
        call_command("demo", stdout=text)
        said.write_text(text.getvalue())


def _catches_interrupt(pid: int) -> bool:
    """Whether a process handles SIGINT, as Linux shows it; elsewhere and for no process: no."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) & 1 << (signal.SIGINT - 1))


def _port() -> int:
    given = os.environ.get("PORT") or str(DEFAULT_PORT)
    if not given.isdecimal() or not 0 < int(given) < 65536:
        raise CommandError(f"PORT is {given!r}; it must be a number from 1 to 65535.")
    return int(given)
