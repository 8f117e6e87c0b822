"""Holders of servers as processes of their own, in a folder of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servicedesk.server.locations import BASE_DIR

_HOLD = """
import sys
from servicedesk.server import servers
with servers(need_broker=len(sys.argv) > 1) as (database, broker):
    print(database, broker, flush=True)
    sys.stdin.read()
"""
_GIVEN = ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "PORT", "HOST", "SERVICEDESK_URL", "PYTEST_VERSION")


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    """A folder for the servers' data that the uid of PostgreSQL can reach too (pytest's own are closed)."""
    if not sys.platform.startswith("linux"):
        pytest.skip("what these tests ask of the system is asked by /proc")
    folder = Path(tempfile.mkdtemp(prefix="desk-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def environ(var: Path) -> dict[str, str]:
    """The environment of a person who set nothing but the folder."""
    kept = {name: value for name, value in os.environ.items() if name not in _GIVEN}
    return kept | {"SERVICEDESK_VAR": str(var), "SERVICEDESK_CLUSTER": "trial", "PYTHONPATH": str(BASE_DIR)}


Hold = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def hold(environ: dict[str, str], var: Path) -> Iterator[Hold]:
    """Start a process that holds the servers until its input ends; afterwards nothing runs."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **more: str) -> subprocess.Popen[str]:
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLD, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environ | more,
        )
        started.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith("postgresql://")
        return holder

    yield start
    for holder in started:
        holder.kill()
        holder.communicate()
    assert wait_until(lambda: processes_of(var) == [])


def let_go(holder: subprocess.Popen[str]) -> None:
    """End a holder the orderly way."""
    holder.communicate(timeout=30)
    assert holder.returncode == 0


def processes_of(var: Path) -> list[str]:
    """The command lines of every live process that was started for this folder.

    Redis writes its title over its environment, so its command line is asked too.
    """
    wanted = f"SERVICEDESK_VAR={var}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if f"{var}/" in line or wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(line)
        except OSError:
            continue
    return found


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.05)
    return is_so()
