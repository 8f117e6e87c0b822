"""The whole desk as one thing: ordered start, a watch over its parts, their logs on the terminal, ordered stop."""

from __future__ import annotations

import errno
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import broker, postgres, processes
from .attachment import Attachment
from .errors import ServerError
from .locations import Locations
from .postgres import Say

# A part whose keeper is gone more often than this in a minute is not started again.
REVIVALS = 3
PROCESSES = ("web", "worker", "beat")


@dataclass
class Part:
    """One server of the desk and how to hold it again."""

    name: str
    hold: Callable[[], Attachment]
    attachment: Attachment
    revived: deque[float] = field(default_factory=lambda: deque(maxlen=REVIVALS))


class Tail:
    """Follows one log from its present end."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.position = path.stat().st_size if path.exists() else 0

    def lines(self) -> list[str]:
        """Return the lines that came since the last call, without a last one that is still being written."""
        try:
            with self.path.open("rb") as log:
                if log.seek(0, 2) < self.position:
                    self.position = 0
                log.seek(self.position)
                text = log.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self.position += len(whole)
        return whole.decode(errors="replace").splitlines()


class Desk:
    """Holds the parts in the order in which they were started; stops them the other way round."""

    def __init__(self, places: Locations, environ: Mapping[str, str], host: str, port: int, say: Say) -> None:
        self.places = places
        self.environ = environ
        self.host = host
        self.port = port
        self.say = say
        self.parts: list[Part] = []
        self.tails = [Tail(name, places.log / processes.log_name(name, places)) for name in PROCESSES]

    def _start(self, name: str, hold: Callable[[], Attachment]) -> None:
        self.parts.append(Part(name, hold, hold()))

    def start_stores(self) -> None:
        """PostgreSQL and the broker, unless they are somebody else's."""
        refuse_taken_port(self.host, self.port)
        postgres.make_folders(self.places)
        if not self.environ.get("DATABASE_URL"):
            self._start("postgres", lambda: postgres.attach(self.places, self.environ, self.say))
        if not self.environ.get("CELERY_BROKER_URL"):
            self._start("broker", lambda: broker.attach(self.places, self.environ, self.say))

    def start_processes(self) -> None:
        """Web first: the sign-in page is what a person waits for."""
        self._start("web", lambda: processes.web(self.places, self.host, self.port))
        self._start("worker", lambda: processes.worker(self.places, self.environ))
        self._start("beat", lambda: processes.beat(self.places, self.environ))

    def watch(self) -> None:
        """Show new log lines and revive a part whose keeper was killed; a part that keeps dying ends the desk."""
        for tail in self.tails:
            for line in tail.lines():
                self.say(f"{tail.name:>6} | {line}")
        for part in self.parts:
            if not part.attachment.is_kept():
                self._revive(part)

    def _revive(self, part: Part) -> None:
        now = time.monotonic()
        if part.attachment.has_given_up():
            raise ServerError(f"{part.name} keeps dying; see the logs in {self.places.log}.")
        if len(part.revived) == REVIVALS and now - part.revived[0] < 60:
            raise ServerError(f"{part.name} was killed {REVIVALS} times within a minute; see {self.places.log}.")
        part.revived.append(now)
        self.say(f"{part.name} is gone, starting it again")
        part.attachment.detach()
        part.attachment = part.hold()

    def stop(self) -> None:
        """Web, worker and beat at once, for each waits for its own open work; then what they stood on."""
        for part in self.parts:
            if part.name in PROCESSES:
                part.attachment.release()
        while self.parts:
            self.parts.pop().attachment.detach()


def refuse_taken_port(host: str, port: int) -> None:
    """Say so before anything is started, when the address can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ServerError(
                    f"Port {port} is taken, by another program or by this desk in another terminal. "
                    f"Take another one: make run PORT={port + 1}"
                ) from error
            raise ServerError(f"The desk can't listen on {host}:{port}: {error.strerror}.") from error
