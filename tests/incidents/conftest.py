"""Here incidents stand alone: what upper apps do about them is tested there and in tests/flows."""

from __future__ import annotations

import pytest

import audit.actions
from audit.subscriptions import Subscription, subscriptions_to


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def own(kind: str) -> list[Subscription]:
        return [one for one in subscriptions_to(kind) if one.name.startswith("incidents.")]

    monkeypatch.setattr(audit.actions, "subscriptions_to", own)
