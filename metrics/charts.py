"""Where the bars of a chart stand: numbers into places, so that a template only writes them down."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

WIDTH, HEIGHT = 720, 160


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """A bar from the base line upwards, in the units of the picture."""

    x: float
    y: float
    width: float
    height: float
    place: int


def highest(*columns: Sequence[float | None]) -> float:
    """What the top of the picture stands for; never nothing, so that an empty chart has a scale."""
    return max((one for column in columns for one in column if one is not None), default=0) or 1


def bars(values: Sequence[float | None], top: float, *, beside: int = 1, place: int = 0) -> list[Bar]:
    """One bar for each value; where several series stand beside each other, the `place`-th of `beside`."""
    slot = WIDTH / max(1, len(values))
    width = slot * 0.8 / beside
    return [
        Bar(
            x=round(number * slot + slot * 0.1 + place * width, 2),
            y=round(HEIGHT - HEIGHT * value / top, 2),
            width=round(width, 2),
            height=round(HEIGHT * value / top, 2),
            place=number,
        )
        for number, value in enumerate(values)
        if value
    ]
