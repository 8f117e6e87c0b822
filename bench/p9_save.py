"""P9: a durable save with its history row, salts and chain, beside the same save without."""

from __future__ import annotations

from bench import p9_history
from bench.desk import Desk
from bench.report import Figure


def measure(desk: Desk) -> list[Figure]:
    found = p9_history.measure(50 if desk.brief else 1000)
    holds = found["ratio"] <= 1.7 or found["more_ms"] <= 0.8
    return [
        Figure(
            "P9",
            "a save with its history, durable",
            f"{found['with_ms']:.2f} ms",
            f"{found['without_ms']:.2f} ms without",
            found["ratio"],
            "x",
            "1.5, at least 1.7 or + 0.8 ms",
            holds,
            found,
        )
    ]
