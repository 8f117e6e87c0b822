"""How far a growing table has been read, where ids are given out in order and committed in any order.

`id > last` would miss the row of a transaction that began earlier and commits later. So the reader remembers which ids
it has seen above a low mark, and looks at the gaps between them again. A gap is settled, and the low mark passes it,
once every transaction has ended that was running when the gap was found: its id was given out before, so its row is
there by now or never will be.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable

#: The end of the last range to look at: what bigint can hold.
END = 2**63 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """Every id up to `low` is settled; `seen` are closed ranges above it, in order, neither touching nor overlapping.

    `mark` and `running`: the highest id when the gaps were looked at, and the transactions that ran then.
    """

    low: int = 0
    seen: tuple[tuple[int, int], ...] = ()
    mark: int = 0
    running: frozenset[str] = frozenset()

    @property
    def top(self) -> int:
        return self.seen[-1][1] if self.seen else self.low

    def gaps(self) -> list[tuple[int, int]]:
        """The closed ranges of ids not seen yet, the open end last."""
        starts = [self.low + 1, *(last + 1 for _, last in self.seen)]
        ends = [*(first - 1 for first, _ in self.seen), END]
        return [(first, last) for first, last in zip(starts, ends, strict=True) if first <= last]

    def with_seen(self, ids: Iterable[int]) -> Progress:
        """After these ids were read too."""
        ranges: list[tuple[int, int]] = []
        new = sorted((one, one) for one in set(ids) if one > self.low)
        for first, last in _merged(list(self.seen), new):
            if ranges and first <= ranges[-1][1] + 1:
                ranges[-1] = (ranges[-1][0], max(last, ranges[-1][1]))
            else:
                ranges.append((first, last))
        low = self.low
        if ranges and ranges[0][0] == low + 1:
            low = ranges.pop(0)[1]
        return dataclasses.replace(self, low=low, seen=tuple(ranges))

    def settled(self, still_running: frozenset[str]) -> int:
        """Up to which id everything is there or never will be, before the next look at the gaps."""
        return self.mark if self.mark > self.low and not (self.running & still_running) else self.low

    def past(self, settled: int) -> Progress:
        """After the gaps up to a settled id were looked at once more."""
        if settled <= self.low:
            return self
        left = tuple((max(first, settled + 1), last) for first, last in self.seen if last > settled)
        return dataclasses.replace(self, low=settled, seen=left, mark=0, running=frozenset()).with_seen(())

    def waiting(self, still_running: frozenset[str]) -> Progress:
        """Begins to wait for the gaps below the top, unless it waits already or there are none."""
        if not self.seen:
            return dataclasses.replace(self, mark=0, running=frozenset())
        if self.mark > self.low:
            return self
        return dataclasses.replace(self, mark=self.top, running=still_running)


def _merged(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if not one:
        return other
    for each in other:
        bisect.insort(one, each)
    return one
