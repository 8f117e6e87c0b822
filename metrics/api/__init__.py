"""Ratings and numbers by REST."""

from typing import Any

from metrics.api import numbers, ratings

ROUTES: list[tuple[str, Any]] = [*ratings.ROUTES, *numbers.ROUTES]
