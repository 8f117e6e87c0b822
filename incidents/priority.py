"""The priority matrix: impact x urgency -> priority 1..5, of any size; 1 is the highest of each.

Follows ITIL's practice of deriving priority instead of choosing it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

HIGHEST, LOWEST = 1, 5
LARGEST_SIDE = 10
DEFAULT_ROWS: tuple[tuple[int, ...], ...] = ((1, 2, 3), (2, 3, 4), (3, 4, 5))


@dataclasses.dataclass(frozen=True, slots=True)
class Matrix:
    """Rows are impacts, columns are urgencies, both counted from 1."""

    rows: tuple[tuple[int, ...], ...]

    @property
    def impacts(self) -> int:
        return len(self.rows)

    @property
    def urgencies(self) -> int:
        return len(self.rows[0])

    def has(self, impact: int, urgency: int) -> bool:
        return 1 <= impact <= self.impacts and 1 <= urgency <= self.urgencies

    def priority(self, impact: int, urgency: int) -> int:
        """The priority of a cell; raises LookupError outside the matrix, because a clamped value would lie."""
        if not self.has(impact, urgency):
            raise LookupError(f"no cell for impact {impact}, urgency {urgency} in {self.impacts}x{self.urgencies}")
        return self.rows[impact - 1][urgency - 1]


def matrix_of(rows: Sequence[Sequence[int]]) -> Matrix:
    return Matrix(tuple(tuple(row) for row in rows))


def problems(rows: object) -> list[str]:
    """What is wrong with rows as typed by an admin; empty when they make a matrix."""
    if not isinstance(rows, list | tuple) or not 1 <= len(rows) <= LARGEST_SIDE:
        return [f"give 1 to {LARGEST_SIDE} rows, one per impact"]
    if not all(isinstance(row, list | tuple) for row in rows) or not 1 <= len(rows[0]) <= LARGEST_SIDE:
        return [f"each row is a list of 1 to {LARGEST_SIDE} priorities, one per urgency"]
    found = []
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            found.append(f"row {number} has {len(row)} cells, row 1 has {len(rows[0])}")
        if not all(isinstance(cell, int) and not isinstance(cell, bool) and HIGHEST <= cell <= LOWEST for cell in row):
            found.append(f"row {number} holds something that is no priority from {HIGHEST} to {LOWEST}")
    return found


def raised_urgency(urgency: int, *, is_vip: bool) -> int:
    """A VIP moves urgency up by one step at most, and never impact."""
    return max(1, urgency - 1) if is_vip else urgency
