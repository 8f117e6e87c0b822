"""Ratings and numbers by REST."""

from typing import Any

from metrics.api import ratings

ROUTES: list[tuple[str, Any]] = [*ratings.ROUTES]
