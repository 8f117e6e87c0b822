"""Compressed time of a drill: scales the delays of the pages that start inside the block, never the clock."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

_scale: contextvars.ContextVar[float] = contextvars.ContextVar("oncall_delay_scale", default=1.0)


@contextlib.contextmanager
def delays_scaled_by(factor: float) -> Iterator[None]:
    """Pages of drill incidents that start inside run their policy's delays times `factor`."""
    if not 0 < factor <= 1:
        raise ValueError("a drill only shortens delays: 0 < factor <= 1")
    token = _scale.set(factor)
    try:
        yield
    finally:
        _scale.reset(token)


def current_scale() -> float:
    return _scale.get()
