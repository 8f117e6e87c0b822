"""What every test gets: no network beyond this machine, hypothesis profiles, and a database for real commits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import socket_allow_hosts

settings.register_profile(
    "ci", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile(
    "proof",
    max_examples=int(os.environ.get("PROOF_EXAMPLES", "20000")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_runtest_setup() -> None:
    socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


@pytest.fixture
def one_window(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Counts of a rate limit fall into one window, however long the test takes and whatever minute it is."""
    from audit import defaults

    test = request.node.nodeid
    monkeypatch.setattr(defaults, "_window", lambda what, who, window: f"limit:{test}:{what}:{who}:{window}")


def _administer(parameters: dict[str, Any], statement: str) -> None:
    with psycopg.connect(**{**parameters, "dbname": "postgres"}, autocommit=True) as link:
        link.execute(statement)


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A clone of the test database in which commits are real: for races, threads, deferred constraints and processes.

    The append-only guards refuse the flush with which Django's transactional tests clean up; a clone is dropped whole.
    """
    from django.db import connection, connections

    with django_db_blocker.unblock():
        parameters = {
            key: value for key, value in connection.get_connection_params().items()
            if key in {"host", "port", "user", "password", "dbname"}
        }  # fmt: skip
        template = connection.settings_dict["NAME"]
        clone = f"{template}_clone"
        connection.close()
        _administer(parameters, f'drop database if exists "{clone}" with (force)')
        _administer(parameters, f'create database "{clone}" template "{template}"')
        connections.settings["default"]["NAME"] = clone
        connection.settings_dict["NAME"] = clone
        try:
            yield
        finally:
            connection.close()
            connections.settings["default"]["NAME"] = template
            connection.settings_dict["NAME"] = template
            _administer(parameters, f'drop database if exists "{clone}" with (force)')
