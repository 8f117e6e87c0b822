"""A desk whose only policies are those that a test states."""

from __future__ import annotations

import pytest

from tests.sla.factories import Desk, make_desk, without_policies


@pytest.fixture
def desk(db: None) -> Desk:
    without_policies()
    return make_desk()
