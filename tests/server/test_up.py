"""`manage.py up` from start to stop, as a person in a terminal has it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from servicedesk.server.locations import BASE_DIR

from .conftest import processes_of, wait_until


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


def start(environ: dict[str, str], port: int) -> subprocess.Popen[str]:
    """Start the desk in a process group of its own, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "up", "--no-demo"],
        cwd=BASE_DIR,
        env=environ | {"PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def await_the_address(desk: subprocess.Popen[str]) -> list[str]:
    assert desk.stdout is not None
    said = []
    for line in desk.stdout:
        said.append(line)
        if "The desk answers" in line:
            return said
    pytest.fail("".join(said))


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def test_ctrl_c_stops_everything(environ: dict[str, str], var: Path) -> None:
    port = free_port()
    desk = start(environ, port)
    await_the_address(desk)
    assert answers(port)
    running = " ".join(processes_of(var))
    assert all(part in running for part in ("bin/postgres", "valkey.sock", "granian", " worker ", " beat "))
    os.killpg(desk.pid, signal.SIGINT)
    desk.communicate(timeout=30)
    assert desk.returncode == 0
    assert processes_of(var) == []


def test_a_killed_desk_leaves_no_process(environ: dict[str, str], var: Path) -> None:
    desk = start(environ, free_port())
    await_the_address(desk)
    desk.kill()
    desk.communicate()
    assert wait_until(lambda: processes_of(var) == [])


def test_a_taken_port_is_named_before_anything_starts(environ: dict[str, str], var: Path) -> None:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        line.listen()
        port = line.getsockname()[1]
        desk = start(environ, port)
        said, _ = desk.communicate(timeout=30)
    assert desk.returncode == 1
    assert f"Port {port} is taken" in said
    assert processes_of(var) == []
