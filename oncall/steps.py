"""The order of a page's steps: levels, then rounds, then nothing. The rehearsal and the real run both ask here."""

from __future__ import annotations


def next_step(*, levels: int, round: int, level: int, last_round: int) -> tuple[int, int] | None:
    """The (round, level) after this one; level 0 means that the round has not begun; None after the last round."""
    if level < levels:
        return round, level + 1
    if round < last_round:
        return round + 1, 1
    return None
