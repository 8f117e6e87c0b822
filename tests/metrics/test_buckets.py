"""Buckets: Python and the database agree, and a rank is always found in its bucket."""

from __future__ import annotations

import collections
import math

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from metrics.buckets import EXACT, THRESHOLDS, bounds, bucket_of, place


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.01, 1.0]))
def test_the_nearest_rank_lies_where_the_tally_says(values: list[int], share: float) -> None:
    counts = collections.Counter(map(bucket_of, values))
    found = place(counts, share)
    exact = sorted(values)[max(1, math.ceil(round(share * len(values), 9))) - 1]
    assert found is not None
    inside = sorted(one for one in values if bucket_of(one) == found.bucket)
    assert inside[found.before] == exact


@given(st.integers(0, 2**33 - 1))
def test_a_bucket_holds_its_values_and_is_narrow(value: int) -> None:
    low, high = bounds(bucket_of(value))
    assert low <= value < high
    assert high - low <= 1 or high - low <= max(1, 0.017 * low)
    assert value >= EXACT or high - low == 1


@pytest.mark.django_db
def test_the_database_sorts_into_the_same_buckets() -> None:
    values = [*range(200), *THRESHOLDS[::37], *(one - 1 for one in THRESHOLDS[1::41])]
    with connection.cursor() as cursor:
        cursor.execute(
            "select array_agg(width_bucket(v, %s::bigint[]) order by n) "
            "from unnest(%s::bigint[]) with ordinality x(v, n)",
            [list(THRESHOLDS), values],
        )
        (found,) = cursor.fetchone()
    assert found == [bucket_of(one) for one in values]


def test_nothing_has_no_quantile() -> None:
    assert place({}, 0.5) is None
