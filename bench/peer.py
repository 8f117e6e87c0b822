"""PEER: create, list and search beside django-helpdesk from PyPI, both behind the same server and PostgreSQL."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import fill, p1_create, servers
from bench.desk import Desk
from bench.load import Ask, Side, alternate, ratio, request
from bench.report import Figure
from servicedesk.server import BASE_DIR

VERSION = "2.6.1"
WANTED = (f"django-helpdesk=={VERSION}", "psycopg[binary]", "granian")
#: How many times theirs, at 10,000 and at a million.
CREATE_GOAL, CREATE_GOAL_LARGE, LARGE = 3.0, 10.0, 500_000
OURS, THEIRS = "ours", f"django-helpdesk {VERSION}"


class NotInstalled(Exception):
    """The peer can't be had here: no network, no package for this Python."""


def _python() -> str:
    """The Python of the peer's own virtual environment, which is made once per checkout."""
    home = servers.HOME / f"helpdesk-{VERSION}"
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists():
        for argv in ([sys.executable, "-m", "venv", str(home)], [str(python), "-m", "pip", "install", "-q", *WANTED]):
            try:
                subprocess.run(argv, check=True, capture_output=True, timeout=600)
            except (OSError, subprocess.SubprocessError) as error:
                told = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
                raise NotInstalled(told[-1] if told else str(error)) from error
        done.touch()
    return str(python)


def _environ(desk: Desk) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    return kept | {
        "PEER_DATABASE": desk.servers.database_url("peer"),
        "PEER_WORDS": json.dumps(fill.words()),
        "PEER_MEDIA": str(servers.HOME / "peer-media"),
        "PYTHONPATH": str(BASE_DIR),
    }


@contextlib.contextmanager
def _served(desk: Desk, python: str) -> Iterator[servers.Web]:
    port = servers.free_port()
    argv = [python, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--workers", str(servers.WORKERS), "--blocking-threads", str(servers.THREADS), "--log-level", "error"]
    process = subprocess.Popen([*argv, "bench.peer_site:application"], cwd=BASE_DIR, env=_environ(desk))
    try:
        if not servers.wait_until(lambda: _answers(port), 30):
            raise RuntimeError("django-helpdesk does not answer")
        servers.prefer(process.pid)
        yield servers.Web(port, "peer", desk.servers)
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _theirs(made: dict[str, Any]) -> dict[str, Ask]:
    """Their list and search as their page asks for it, and their REST API for a ticket."""
    cookie, turn, chance = (
        f"sessionid={made['session']}; csrftoken={made['token']}",
        itertools.count(),
        random.Random(5),
    )

    def listed(words: str) -> bytes:
        asked = {
            "filtering": {},
            "filtering_null": {},
            "sorting": "created",
            "sortreverse": True,
            "search_string": words,
        }
        query = base64.b64encode(json.dumps(asked).encode()).decode()
        return request("GET", f"/helpdesk/datatables_ticket_list/{query}?draw=1&start=0&length=50", cookie=cookie)

    def created() -> bytes:
        body = {
            "title": f"Printer {next(turn)} is offline",
            "description": p1_create.DESCRIPTION,
            "queue": made["queue"],
            "priority": 2,
            "status": 1,
            "submitter_email": "requester1@bench.example",
        }
        headers = f"X-CSRFToken: {made['token']}"
        return request("POST", "/helpdesk/api/tickets/", body=body, cookie=cookie, headers=headers)

    words = fill.words()[40:120]
    return {"create": created, "list of 50": lambda: listed(""), "search": lambda: listed(chance.choice(words))}


def _ours(desk: Desk) -> dict[str, Ask]:
    turn, chance, key = itertools.count(7_000_000), random.Random(5), desk.world.agent_key
    words = fill.words()[40:120]
    return {
        "create": lambda: request("POST", p1_create.PATH, body=p1_create.body(desk, next(turn)), key=key),
        "list of 50": lambda: request("GET", p1_create.PATH, key=key),
        "search": lambda: request("GET", f"{p1_create.PATH}?search={chance.choice(words)}", key=key),
    }


def measure(desk: Desk) -> list[Figure]:
    try:
        python = _python()
    except NotInstalled as why:
        print(f"PEER: django-helpdesk can't be installed here, so nothing stands beside us: {why}", file=sys.stderr)
        return [Figure("PEER", "django-helpdesk could not be installed", "", "", float("nan"), "", "", None)]
    desk.servers.create_database("peer")
    argv = [python, str(Path(__file__).with_name("peer_site.py")), str(desk.size)]
    asked = subprocess.run(argv, check=True, capture_output=True, cwd=BASE_DIR, env=_environ(desk), timeout=1800)
    made = json.loads(asked.stdout.splitlines()[-1])
    with _served(desk, python) as web:
        ours, theirs = _ours(desk), _theirs(made)
        return [_figure(desk, name, ours[name], theirs[name], web) for name in ours]


def _figure(desk: Desk, name: str, our: Ask, their: Ask, web: servers.Web) -> Figure:
    ours, theirs = Side(OURS, our, desk.web), Side(THEIRS, their, web)
    alternate(ours, theirs, rounds=desk.rounds, seconds=desk.seconds, connections=4)
    goal = CREATE_GOAL_LARGE if desk.size >= LARGE else CREATE_GOAL
    share = ratio(ours, theirs)
    return Figure(
        "PEER",
        f"{name}, {desk.size:,}",
        f"{ours.median():.0f}/s, {ours.median('p50_ms'):.1f} ms",
        f"{theirs.median():.1f}/s, {theirs.median('p50_ms'):.0f} ms {THEIRS}",
        share,
        "x as many",
        f">= {goal:.0f}" if name == "create" else "",
        share >= goal if name == "create" else None,
        {"sides": {side.name: side.described() for side in (ours, theirs)}},
    )
