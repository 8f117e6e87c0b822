"""`make bench`: starts servers of its own, makes its data, measures each figure with both its sides, prints a table.

    .venv/bin/python bench/run.py [--only P1,P9] [--size 10k|50k|1m] [--json FILE]

Absolute values move with the machine: only the ratios mean something, and both sides of each come from this run.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import servers
from bench.report import Figure, table

FIGURES = {
    "P1": "p1_create", "P2": "p2_transition", "P3": "p3_queue", "P4": "p4_growth", "P5": "p5_search",
    "P7": "p7_deadlines", "P8": "p8_intake", "P9": "p9_save", "P11": "p11_metrics", "P12": "p12_page", "PEER": "peer",
}  # fmt: skip


def size_of(text: str) -> int:
    """10k, 1m or plain digits."""
    factor = {"k": 1000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    return int(text[:-1] if factor > 1 else text) * factor


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.0f} s")


@contextlib.contextmanager
def desk_of(size: int, *, brief: bool = False) -> Iterator[Any]:
    """A filled desk that is served."""
    with servers.running() as held:
        held.create_database("bench")
        os.environ.update(held.environ("bench"))
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection
        from django.utils import timezone

        from bench import fill, world
        from bench.desk import Desk

        with _timed("tables"):
            call_command("migrate", verbosity=0)
        with _timed(f"data, {size} incidents"):
            made = world.build(timezone.now())
            connection.close()
            held.create_database("bench_empty", "bench")
            fill.fill(made, size, timezone.now())
        try:
            with servers.web(held, "bench") as web:
                yield Desk(held, web, made, size, brief)
        finally:
            connection.close()


def measure(desk: Any, names: list[str]) -> list[Figure]:
    """The figures in their order; one that can't be measured says why and the others go on."""
    found: list[Figure] = []
    for name in names:
        with _timed(name):
            try:
                figures = importlib.import_module(f"bench.{FIGURES[name]}").measure(desk)
            except Exception as error:  # noqa: BLE001  whatever it is, the other figures are wanted
                say(f"{name}: {type(error).__name__}: {error}")
                figures = [Figure(name, "could not be measured", "", "", float("nan"), "", "", False)]
        for one in figures:
            print(one.line(), flush=True)
        found += figures
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--only", default=",".join(FIGURES), help="P1,P9")
    parser.add_argument("--size", default=os.environ.get("SIZE") or "10k", help="incidents: 10k, 50k, 1m")
    parser.add_argument(
        "--brief", action="store_true", help="short rounds, to see that it runs; the figures mean nothing"
    )
    parser.add_argument("--json", type=Path, help="write the JSON lines to this file too")
    given = parser.parse_args()
    names = [one for one in FIGURES if one in given.only.upper().split(",")]
    with desk_of(size_of(given.size), brief=given.brief) as desk:
        found = measure(desk, names)
    if given.json:
        given.json.write_text("".join(f"{one.line()}\n" for one in found))
    print(table(found))
    sys.exit(any(one.held is False for one in found))


if __name__ == "__main__":
    main()
