"""Private servers of one run: PostgreSQL that is durable, Valkey, web servers, and processes that are killed by name.

Their data lies under var/bench and goes when the run ends; the trial's is never touched.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from servicedesk.server import BASE_DIR, ServerError, ensure_broker, ensure_postgres, locations, processes
from servicedesk.server.attachment import Attachment, Server
from servicedesk.server.locations import Locations

HOME = BASE_DIR / "var" / "bench"
#: As docs/admin.md starts the web server: a thread waits for the disk while others work.
WORKERS, THREADS = 2, 4
#: Root on a machine that others use may put the run before them: `BENCH_NICE=-10`.
NICE = os.environ.get("BENCH_NICE", "")


@dataclasses.dataclass(frozen=True, slots=True)
class Servers:
    """Where the run's servers are."""

    places: Locations
    broker: str

    def database_url(self, name: str) -> str:
        return f"postgresql:///{name}?host={self.places.run}&user=servicedesk"

    def environ(self, database: str) -> dict[str, str]:
        """The environment of everything that serves one of the run's databases."""
        return {
            "DATABASE_URL": self.database_url(database),
            "CELERY_BROKER_URL": self.broker,
            "CACHE_URL": self.places.cache_url(),
            "DJANGO_SETTINGS_MODULE": "bench.settings",
            "PYTHONPATH": str(BASE_DIR),
            "SERVICEDESK_MAILBOX": "true",
            "SERVICEDESK_OUTGOING_ALLOW": "127.0.0.1/32",
            "SERVICEDESK_LOG_LEVEL": "ERROR",
            # One loader stands for many callers, so the limits count but never bite.
            **{f"SERVICEDESK_RATE_{kind}": "1000000000" for kind in ("KEY", "PERSON", "STRANGER")},
        }

    def link(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database_url(database), autocommit=True)

    def create_database(self, name: str, template: str = "template1") -> None:
        with self.link("postgres") as link:
            link.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
            link.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
            )

    def postmaster(self) -> int:
        found = sorted(self.places.state.glob("postgres-*/postmaster.pid"))
        return int(found[0].read_text().split("\n", 1)[0])


@contextlib.contextmanager
def running() -> Iterator[Servers]:
    """Holds the run's PostgreSQL and Valkey; refuses a second run beside this one, it would measure the first."""
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ServerError("Another `make bench` runs in this checkout: wait for its end.") from error
        kept = {"DATABASE_URL", "CELERY_BROKER_URL", "SERVICEDESK_VAR", "PYTEST_VERSION"}
        environ = {name: value for name, value in os.environ.items() if name not in kept}
        environ |= {"SERVICEDESK_CLUSTER": "trial", "SERVICEDESK_POSTGRES_DURABILITY": "full"}
        places = locations(HOME, environ)
        _clear(places)
        try:
            with ensure_postgres(HOME, environ), ensure_broker(HOME, environ) as broker:
                # The processes find the project in the checkout, everything else lies in the run's own home.
                held = Servers(dataclasses.replace(places, base=BASE_DIR), broker)
                prefer(os.getpid(), held.postmaster())
                yield held
        finally:
            _clear(places)


def _clear(places: Locations) -> None:
    for folder in places.state.glob("postgres-*"):
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@dataclasses.dataclass(frozen=True, slots=True)
class Web:
    """One web server on loopback: two workers as in production."""

    port: int
    name: str
    servers: Servers

    def pid(self) -> int:
        """Granian's main process, found by the port in its command line; 0 where there is no /proc."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if b"granian" in words and str(self.port).encode() in words:
                    return int(path.parent.name)
        return 0


@contextlib.contextmanager
def web(servers: Servers, database: str) -> Iterator[Web]:
    """Serves one database."""
    port, places = free_port(), servers.places
    argv = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--workers", str(WORKERS), "--blocking-threads", str(THREADS), "--log-level", "error"]
    argv += ["--workers-kill-timeout", "2", "servicedesk.wsgi:application"]
    attachment = Attachment(f"web-{port}", places.locks, lambda: processes.serves("127.0.0.1", port), places.log)
    attachment.attach(lambda: _server(servers, database, argv, f"web-{database}.log"))
    try:
        served = Web(port, database, servers)
        prefer(served.pid())
        yield served
    finally:
        attachment.detach()


@contextlib.contextmanager
def worker_and_beat(servers: Servers, database: str) -> Iterator[None]:
    """Holds the desk's own worker and beat on one database."""
    outer = dict(os.environ)
    os.environ.update(servers.environ(database))
    try:
        with contextlib.ExitStack() as held:
            held.callback(processes.worker(servers.places, os.environ).detach)
            held.callback(processes.beat(servers.places, os.environ).detach)
            yield
    finally:
        os.environ.clear()
        os.environ.update(outer)


def _server(servers: Servers, database: str, argv: list[str], log: str) -> Server:
    return Server(
        argv=argv,
        env=dict(os.environ) | servers.environ(database),
        uid=None,
        gid=None,
        stop_signal=signal.SIGTERM,
        log=servers.places.log / log,
        cwd=BASE_DIR,
        stop_seconds=8,
    )


def child(servers: Servers, database: str, *argv: str) -> subprocess.Popen[bytes]:
    """A process of the project that the run may kill."""
    return subprocess.Popen(
        [sys.executable, *argv],
        env=dict(os.environ) | servers.environ(database),
        cwd=BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )


def _family(*roots: int) -> dict[int, int]:
    """These processes and all below them, with their ticks of user and system time, ended children included."""
    below: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = path.read_text().rsplit(")", 1)[1].split()
            own = int(path.parent.name)
            below.setdefault(int(words[1]), []).append(own)
            used[own] = sum(map(int, words[11:15]))
    found: dict[int, int] = {}
    waiting = list(roots)
    while waiting:
        here = waiting.pop()
        found[here] = used.get(here, 0)
        waiting += below.get(here, [])
    return found


def cpu_seconds(pid: int) -> float:
    """The time of a process with all below it; 0 where there is no /proc."""
    if not pid or not Path("/proc/self/stat").exists():
        return 0.0
    return float(sum(_family(pid).values()) / os.sysconf("SC_CLK_TCK"))


def prefer(*roots: int) -> None:
    """With BENCH_NICE puts these processes before others; Linux weighs sessions first, then processes."""
    for pid in _family(*roots) if NICE and Path("/proc/self/stat").exists() else ():
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, int(NICE))
            Path(f"/proc/{pid}/autogroup").write_text(NICE)


def wait_until(condition: Any, seconds: float, every: float = 0.05) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return True
        time.sleep(every)
    return bool(condition())
