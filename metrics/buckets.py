"""Whole numbers sorted into buckets that add up over days: exact below 64, then each at most 1.6 % wide.

A day's tally is small and tallies of days merge by addition, which medians do not. The merged tally says in which
bucket a rank lies, so the exact value is the k-th of that bucket's rows alone.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Mapping

EXACT = 64
_GROWTH = 1.016
_LONGEST = 2**33


def _thresholds() -> tuple[int, ...]:
    found = list(range(EXACT))
    while found[-1] < _LONGEST:
        found.append(max(found[-1] + 1, int(found[-1] * _GROWTH)))
    return tuple(found)


#: Bucket b holds the values from THRESHOLDS[b - 1] up to, but not including, THRESHOLDS[b].
THRESHOLDS = _thresholds()


def bucket_of(value: int) -> int:
    """As `width_bucket(value, THRESHOLDS)` in the database."""
    return bisect.bisect_right(THRESHOLDS, value)


def bounds(bucket: int) -> tuple[int, int]:
    """The lowest value of a bucket, and the lowest of the next one."""
    high = THRESHOLDS[bucket] if bucket < len(THRESHOLDS) else 2**62
    return THRESHOLDS[bucket - 1], high


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a quantile lies: its bucket, and how many values of the bucket come before it."""

    bucket: int
    before: int

    @property
    def low(self) -> int:
        return bounds(self.bucket)[0]

    @property
    def is_exact(self) -> bool:
        """Whether the bucket holds one value only."""
        low, high = bounds(self.bucket)
        return high - low == 1


def place(counts: Mapping[int, int], share: float) -> Place | None:
    """The nearest rank, as `percentile_disc`: the first value that at least this share does not exceed."""
    total = sum(counts.values())
    if not total:
        return None
    rank = max(1, math.ceil(round(share * total, 9)))
    passed = 0
    for bucket in sorted(counts):
        if passed + counts[bucket] >= rank:
            return Place(bucket, rank - passed - 1)
        passed += counts[bucket]
    raise AssertionError("a rank beyond the last value")
