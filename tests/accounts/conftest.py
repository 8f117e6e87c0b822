"""Passwords are hashed cheaply here: their strength is Django's, not ours to test."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _cheap_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
