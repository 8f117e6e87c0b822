"""The desk's own processes (web, worker, beat): how each is started, and how one sees that it serves."""

from __future__ import annotations

import hashlib
import http.client
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kombu.exceptions import OperationalError

from .attachment import Attachment, Server
from .locations import BASE_DIR, Locations, locations

WORKER_THREADS = 8
WEB_THREADS = 8
_CELERY = (sys.executable, "-m", "celery", "--quiet", "--app", "servicedesk")
# Celery's warning against root is right for production; in the trial a person chose to run it so.
_QUIET = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser"}


def web(places: Locations, host: str, port: int) -> Attachment:
    """Hold the web server on an address."""
    attachment = Attachment(f"web-{port}-{places.cluster}", places.locks, lambda: serves(host, port), places.log)
    argv = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)]
    argv += ["--workers", "1", "--blocking-threads", str(WEB_THREADS), "--log-level", "error"]
    # An open event stream would hold a stopping worker for ever.
    argv += ["--workers-kill-timeout", "2", "servicedesk.wsgi:application"]
    attachment.attach(lambda: _python(places, argv, "web", stop_seconds=8))
    return attachment


def worker(places: Locations, environ: Mapping[str, str]) -> Attachment:
    """Hold a task worker of this clone, broker and database."""
    tag = _tag(places, environ)
    node = f"desk-{tag}@localhost"
    attachment = Attachment(f"worker-{tag}", places.locks, lambda: _pongs(node), places.log)
    argv = [
        sys.executable,
        "-m",
        "celery",
        "--quiet",
        "--app",
        "servicedesk",
        "worker",
        "--pool",
        "threads",
        "--hostname",
        node,
    ]
    argv += ["--concurrency", str(WORKER_THREADS), "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    attachment.attach(lambda: _python(places, argv, "worker", stop_seconds=8))
    return attachment


def beat(places: Locations, environ: Mapping[str, str]) -> Attachment:
    """Hold the clock that wakes the sweeps; it is a process of its own, for a killed worker would orphan it."""
    tag = _tag(places, environ)
    schedule = places.var / f"beat-{tag}"
    attachment = Attachment(f"beat-{tag}", places.locks, lambda: True, places.log)
    argv = [*_CELERY, "beat", "--schedule", str(schedule), "--loglevel", "WARNING"]
    attachment.attach(lambda: _python(places, argv, "beat", stop_seconds=4))
    return attachment


@contextmanager
def ensure_workers(base: Path = BASE_DIR, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """Hold a worker and a beat; broker and database must be held already.

    A worker that somebody else started on a given broker is used as it is. Whether a beat runs there can't be
    asked; a second one only wakes sweeps that find nothing to do.
    """
    environ = os.environ if environ is None else environ
    places = locations(base, environ)
    for folder in (places.locks, places.log):
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        if not (environ.get("CELERY_BROKER_URL") and _pongs(None)):
            held.callback(worker(places, environ).detach)
        held.callback(beat(places, environ).detach)
        yield


def _python(places: Locations, argv: list[str], name: str, *, stop_seconds: float) -> Server:
    return Server(
        argv=argv,
        env=_QUIET | dict(os.environ) | {"PYTHONUNBUFFERED": "1"},
        uid=None,
        gid=None,
        stop_signal=signal.SIGTERM,
        log=places.log / log_name(name, places),
        cwd=places.base,
        stop_seconds=stop_seconds,
    )


def log_name(name: str, places: Locations) -> str:
    return f"{name}-{places.cluster}.log"


def _tag(places: Locations, environ: Mapping[str, str]) -> str:
    """Workers of another broker or database are other workers."""
    database = environ.get("DATABASE_URL") or places.database_url
    broker = environ.get("CELERY_BROKER_URL") or places.broker_url
    return hashlib.sha256(f"{database}\n{broker}".encode()).hexdigest()[:10]


def _pongs(node: str | None) -> bool:
    """Whether a worker (this one, or any) answers through the broker."""
    from .. import celery

    control = celery.app.control
    try:
        if node is None:
            return bool(control.ping(timeout=1.0, limit=1))
        return bool(control.ping(destination=[node], timeout=0.5))
    except (OSError, OperationalError):
        return False


def serves(host: str, port: int) -> bool:
    """Whether HTTP is answered there, whatever the answer."""
    line = http.client.HTTPConnection("127.0.0.1" if host in ("0.0.0.0", "") else host, port, timeout=5)  # noqa: S104  # nosec
    try:
        line.request("GET", "/healthz", headers={"Host": "localhost"})
        line.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()
    return True
