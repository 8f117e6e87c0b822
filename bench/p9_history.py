"""P9: a durable save with its history row, salts and chain, beside the same save without, in one run.

Run `.venv/bin/python bench/p9_history.py [saves]`. It makes a database of its own on the configured PostgreSQL (the
trial's when DATABASE_URL is empty), and alternates both sides in short rounds, so that a noisy machine hits both.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "servicedesk.settings")

import django

django.setup()

from django.db import connection  # noqa: E402

from accounts.models import User  # noqa: E402
from audit.context import SETTING  # noqa: E402

ROUND = 25
CONTEXT = '{"kind":"person","id":"7","label":"Ann","user":7,"behalf":"","channel":"api","request":"r-1","reason":""}'


def _tracked(on: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"alter table accounts_user {'enable' if on else 'disable'} trigger user")


def _saves(user: User, count: int) -> list[float]:
    """Milliseconds of each save; the key of the chain (version) goes on while the triggers are off."""
    taken = []
    for number in range(count):
        user.name = f"name {number} {time.monotonic_ns()}"
        began = time.perf_counter()
        user.save()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def measure(saves: int = 1000) -> dict[str, float]:
    """p50 of both sides in milliseconds, their ratio and difference."""
    with connection.cursor() as cursor:
        cursor.execute("set synchronous_commit = on")
        cursor.execute("select set_config(%s, %s, false)", [SETTING, CONTEXT])
        cursor.execute("show fsync")
        durable = cursor.fetchone() == ("on",)
    users = {side: User.objects.create(email=f"{side}@bench.example", name="x") for side in ("with", "without")}
    taken: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(max(1, saves // ROUND)):
        for side, user in users.items():
            _tracked(side == "with")
            _saves(user, 3)
            taken[side] += _saves(user, ROUND)
    _tracked(True)
    bare, full = statistics.median(taken["without"]), statistics.median(taken["with"])
    found = {"without_ms": bare, "with_ms": full, "ratio": full / bare, "more_ms": full - bare}
    return {**found, "durable": float(durable)}


def main() -> None:
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        found = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    finally:
        connection.creation.destroy_test_db(connection.settings_dict["NAME"], verbosity=0)
    held = found["ratio"] <= 1.7 or found["more_ms"] <= 0.8
    print(f"P9 a save, durable={bool(found['durable'])}: without history {found['without_ms']:.3f} ms, "
          f"with {found['with_ms']:.3f} ms, ratio {found['ratio']:.2f} (+{found['more_ms']:.3f} ms); "
          f"goal 1.5, at least <= 1.7 or +0.8 ms: {'held' if held else 'MISSED'}")  # fmt: skip
    sys.exit(not held)


if __name__ == "__main__":
    main()
