"""Here incidents stand alone: what upper apps do about them is tested there and in tests/flows."""

from __future__ import annotations

import pytest

import audit.actions
from audit.subscriptions import Subscription


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(kind: str) -> list[Subscription]:
        return []

    monkeypatch.setattr(audit.actions, "subscriptions_to", nobody)
