"""A figure with both its sides, goal and verdict; one JSON line each, and the table at the end."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any


@dataclasses.dataclass(slots=True)
class Figure:
    """One measured ratio or time. `held` is None where the goal is noted and not yet asked for."""

    name: str
    what: str
    ours: str
    other: str
    value: float
    unit: str
    goal: str
    held: bool | None
    detail: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def line(self) -> str:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        return json.dumps({**dataclasses.asdict(self), "load": load}, default=str)


_COLUMNS = ("", "what", "ours", "beside", "figure", "goal", "")


def table(figures: Iterable[Figure]) -> str:
    """All figures, aligned."""
    rows = [_COLUMNS]
    for one in figures:
        verdict = {True: "holds", False: "MISSED", None: "noted"}[one.held]
        rows.append((one.name, one.what, one.ours, one.other, f"{one.value:.3g} {one.unit}".strip(), one.goal, verdict))
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
