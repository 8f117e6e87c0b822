"""The shared use of one kept server: attach starts it when it is down, the last to detach sees it stopped."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import keeper
from .errors import ServerError

START_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Server:
    """What the keeper must know of a server."""

    argv: list[str]
    env: dict[str, str]
    uid: int | None
    gid: int | None
    stop_signal: int
    log: Path


class Attachment:
    """One command's hold on a server; the kernel drops it when the command dies."""

    def __init__(self, name: str, locks: Path, is_ready: Callable[[], bool]) -> None:
        self.name = name
        self.locks = locks
        self.is_ready = is_ready
        self._users: int | None = None
        self._keeper: int | None = None

    def path(self, kind: str) -> Path:
        return self.locks / f"{self.name}.{kind}"

    def attach(self, prepare: Callable[[], Server]) -> bool:
        """Hold the server and return whether this call started it; `prepare` runs only when it is down."""
        self._users = _open(self.path("users"))
        # Waits while a keeper is stopping the server for its last user.
        fcntl.flock(self._users, fcntl.LOCK_SH)
        try:
            with alone(self.path("start")):
                if self.is_kept():
                    self._wait_until_ready(None)
                    return False
                self._start(prepare())
        except BaseException:
            self.detach()
            raise
        return True

    def is_kept(self) -> bool:
        """Whether a keeper lives; it may still be waiting for its server."""
        handle = keeper.exclusively(str(self.path("keeper")))
        if handle is None:
            return True
        os.close(handle)
        return False

    def _start(self, server: Server) -> None:
        spec: dict[str, Any] = {
            "argv": server.argv,
            "env": server.env,
            "uid": server.uid,
            "gid": server.gid,
            "stop_signal": int(server.stop_signal),
            "users_lock": str(self.path("users")),
            "keeper_lock": str(self.path("keeper")),
        }
        server.log.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if _is_small(server.log) else os.O_TRUNC)
        # posix_spawn gives a bare pid: a Popen object would warn that its process still runs.
        self._keeper = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", keeper.__file__, json.dumps(spec)],
            dict(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(server.log), flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
        self._wait_until_ready(server.log)

    def _wait_until_ready(self, log: Path | None) -> None:
        """Poll the server; with a log it is our own start, and a keeper that ends has failed."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.is_ready():
                return
            if log is not None and self._is_keeper_gone():
                raise ServerError(f"{self.name} did not start; its log {log} ends:\n{_tail(log)}")
            time.sleep(0.02)
        raise ServerError(f"{self.name} did not answer within {START_SECONDS:.0f} s; its log is in the var/log folder.")

    def _is_keeper_gone(self) -> bool:
        if self._keeper is None:
            return True
        pid, _status = os.waitpid(self._keeper, os.WNOHANG)
        if pid:
            self._keeper = None
        return pid != 0

    def detach(self) -> None:
        """Let go; when nobody else holds the server, wait until it has stopped."""
        if self._users is None:
            return
        users, self._users = self._users, None
        fcntl.flock(users, fcntl.LOCK_UN)
        deadline = time.monotonic() + STOP_SECONDS
        while self.is_kept() and time.monotonic() < deadline:
            # Nobody but a stopping keeper locks this file for itself, so a shared lock that succeeds beside
            # an exclusive one that fails means: another command is attached, and the server is its now.
            if not _try(users, fcntl.LOCK_EX) and _try(users, fcntl.LOCK_SH):
                break
            fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(0.05)
        os.close(users)
        if self._keeper is not None:
            self._reap()

    def _reap(self) -> None:
        if self.is_kept():
            return
        for _attempt in range(100):
            if self._is_keeper_gone():
                return
            time.sleep(0.02)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One starter at a time; the others wait and then find the server running."""
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_small(path: Path, limit: int = 10_000_000) -> bool:
    try:
        return path.stat().st_size < limit
    except FileNotFoundError:
        return True


def _tail(path: Path, lines: int = 8) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
