"""Pages are tried on the demonstration: real rows of every kind, told through the actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import demonstration


@pytest.fixture(scope="session")
def demo_built(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    yield
    with django_db_blocker.unblock():
        demonstration.drop_built()


@pytest.fixture
def demo_db(demo_built: None, django_db_blocker: Any) -> Iterator[None]:
    """A clone of the demonstration of its own; commits are real."""
    with django_db_blocker.unblock(), demonstration.demonstration():
        yield
