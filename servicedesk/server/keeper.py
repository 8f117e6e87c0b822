"""Keeps one server alive as long as any command holds the shared lock, then stops it.

Run as a script by the bare interpreter (`python -I -S keeper.py <spec>`), so it imports nothing of ours. It is a
process of its own because a server must outlive the command that started it while another one still uses it,
and must not outlive the last one, however that one ended: the kernel drops a dead process's lock.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

POLL_SECONDS = 0.1
RESTARTS = 5
RESTART_WINDOW_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


def death_signal(number: int, parent: int | None = None) -> Callable[[], None]:
    """Make a `preexec_fn` that ties the new process to its parent (by default: to the process that asks now).

    A change of uid clears the wish, and `subprocess` calls `preexec_fn` after that change. The kernel watches
    the *thread* that forked: call this from the main thread. Other systems than Linux have no such wish.
    """
    if not sys.platform.startswith("linux"):
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    expected = os.getpid() if parent is None else parent

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != expected:  # The parent died before the wish was set.
            os._exit(1)

    return tie


def exclusively(path: str) -> int | None:
    """Open and lock a file for us alone, or return None when somebody else holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def sweep(group: int) -> None:
    """Kill what a dead server left in its process group: a worker process would hold the port."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def note(line: str) -> None:
    """Write into the server's log, where a reader looks for the cause."""
    sys.stdout.write(f"keeper: {line}\n")
    sys.stdout.flush()


class Keeper:
    """One server process, restarted when it dies, stopped when its last user is gone."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.asked_to_stop = False
        self.starts: list[float] = []

    def stop_soon(self, _number: int, _frame: FrameType | None) -> None:
        self.asked_to_stop = True

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server under the uid that the spec names."""
        identity: dict[str, Any] = {}
        if self.spec.get("uid") is not None:
            identity = {"user": self.spec["uid"], "group": self.spec["gid"], "extra_groups": []}
        self.starts.append(time.monotonic())
        return subprocess.Popen(  # noqa: S603
            self.spec["argv"],
            stdin=subprocess.DEVNULL,
            env=self.spec["env"],
            cwd=self.spec["cwd"],
            preexec_fn=death_signal(self.spec["stop_signal"]),
            start_new_session=True,
            **identity,
        )

    def pause_before_restart(self) -> float | None:
        """Return the back-off in seconds, or None when it has died too often, or before it first answered."""
        if not os.path.exists(self.spec["ready_file"]):
            return None
        recent = sum(time.monotonic() - at < RESTART_WINDOW_SECONDS for at in self.starts)
        return None if recent > RESTARTS else 0.1 * 2**recent

    def run(self) -> int:
        """Watch both sides: the server and its users."""
        child = self.spawn()
        while not self.asked_to_stop:
            if exclusively(self.spec["users_lock"]) is not None:
                break  # Nobody uses it any more; whoever comes now waits until we are gone.
            if child.poll() is not None:
                sweep(child.pid)
                pause = self.pause_before_restart()
                after = "not started again" if pause is None else f"starting again in {pause:.1f} s"
                note(f"{self.spec['name']} ended with {child.returncode}, {after}")
                if pause is None:
                    return 1
                time.sleep(pause)
                child = self.spawn()
            time.sleep(POLL_SECONDS)
        self.stop(child)
        return 0

    def stop(self, child: subprocess.Popen[bytes]) -> None:
        """Ask, ask harder, kill."""
        for number, seconds in ((self.spec["stop_signal"], self.spec["stop_seconds"]), (signal.SIGQUIT, 5.0)):
            if child.poll() is None:
                child.send_signal(number)
            try:
                child.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                continue
        if child.poll() is None:
            child.kill()
            child.wait()
        sweep(child.pid)


def main() -> int:
    with open(sys.argv[1]) as file:
        spec = json.load(file)
    os.unlink(sys.argv[1])
    if os.getsid(0) != os.getpid():
        os.setsid()
    for _attempt in range(100):  # Somebody who merely asks whether a keeper lives holds it for a moment.
        if exclusively(spec["keeper_lock"]) is not None:
            break
        time.sleep(0.02)
    else:
        note("another keeper lives")
        return 1
    keeper = Keeper(spec)
    signal.signal(signal.SIGTERM, keeper.stop_soon)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return keeper.run()


if __name__ == "__main__":
    sys.exit(main())
