"""What is installed: the living state machine and not its dead twin, and no lock that names a registry."""

from __future__ import annotations

import importlib.metadata

import pytest

from tests.architecture.tree import ROOT


def test_the_inactive_django_fsm_is_absent() -> None:
    assert importlib.metadata.version("django-fsm-2")
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("django-fsm")


def test_locks_are_hashed_and_name_no_host() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert locks
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text, lock.name
        assert "://" not in text, lock.name
