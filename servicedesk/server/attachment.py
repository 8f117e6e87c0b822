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
    cwd: Path = Path("/")
    stop_seconds: float = 20.0


class Attachment:
    """One command's hold on a server; the kernel drops it when the command dies."""

    def __init__(self, name: str, locks: Path, is_ready: Callable[[], bool], logs: Path) -> None:
        self.name = name
        self.locks = locks
        self.is_ready = is_ready
        self.logs = logs
        self._users: int | None = None
        self._keeper: int | None = None
        self._keeper_failed = False

    def path(self, kind: str) -> Path:
        return self.locks / f"{self.name}.{kind}"

    def attach(self, prepare: Callable[[], Server]) -> bool:
        """Hold the server and return whether this call started it; `prepare` runs only when it is down."""
        self._users = _open(self.path("users"))
        # Waits while a keeper is stopping the server for its last user.
        fcntl.flock(self._users, fcntl.LOCK_SH)
        try:
            with alone(self.path("start")):
                if self._recovers():
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
            "name": self.name,
            "argv": server.argv,
            "cwd": str(server.cwd),
            "stop_seconds": server.stop_seconds,
            "env": server.env,
            "uid": server.uid,
            "gid": server.gid,
            "stop_signal": int(server.stop_signal),
            "users_lock": str(self.path("users")),
            "keeper_lock": str(self.path("keeper")),
            # A death before the first answer is a failed start; a later one is answered by a new start.
            "ready_file": str(self.path("ready")),
        }
        # By a file, not by the command line: everybody may read that, and the environment holds secrets.
        spec_file = self.path("spec")
        with open(_open(spec_file, os.O_TRUNC), "w") as file:
            json.dump(spec, file)
        self.path("ready").unlink(missing_ok=True)
        server.log.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if _is_small(server.log) else os.O_TRUNC)
        # posix_spawn gives a bare pid: a Popen object would warn that its process still runs.
        self._keeper = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", keeper.__file__, str(spec_file)],
            dict(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(server.log), flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
        self._wait_for_first_answer(server.log)
        self.path("ready").touch()

    def _wait_for_first_answer(self, log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.is_kept() and self.is_ready():
                return
            if self._is_keeper_gone():
                raise ServerError(f"{self.name} did not start; its log {log} ends:\n{_tail(log)}")
            time.sleep(0.02)
        raise ServerError(f"{self.name} did not answer within {START_SECONDS:.0f} s; see {log}.")

    def _recovers(self) -> bool:
        """Whether a keeper lives and its server answers; one that just died is given time to come back."""
        deadline = time.monotonic() + START_SECONDS
        while self.is_kept():
            if self.is_ready():
                return True
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} runs but does not answer; see its log in {self.logs}.")
            time.sleep(0.05)
        return False

    def _is_keeper_gone(self) -> bool:
        if self._keeper is None:
            return True
        pid, status = os.waitpid(self._keeper, os.WNOHANG)
        if pid:
            self._keeper = None
            self._keeper_failed = os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0
        return pid != 0

    def has_given_up(self) -> bool:
        """Whether the keeper that this command started ended by itself: its server kept dying."""
        return self._keeper is not None and self._is_keeper_gone() and self._keeper_failed

    def detach(self) -> None:
        """Let go; when nobody else holds the server, wait until it has stopped."""
        self.release()
        self.wait_for_stop()

    def release(self) -> None:
        """Let go without waiting."""
        if self._users is not None:
            fcntl.flock(self._users, fcntl.LOCK_UN)

    def wait_for_stop(self) -> None:
        """Wait until the server has stopped or is seen to be somebody else's."""
        if self._users is None:
            return
        users, self._users = self._users, None
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


def _open(path: Path, flags: int = 0) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | flags, 0o600)


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
