"""Where the servers live is arithmetic: short, plain and apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from servicedesk.server.locations import SOCKET_PATH_LIMIT, locations

CLONE = Path("/srv/desk")


def test_trial_and_tests_share_no_folder() -> None:
    trial, tests = locations(CLONE, {}, uid=1000), locations(CLONE, {"PYTEST_VERSION": "9"}, uid=1000)
    assert (trial.cluster, tests.cluster) == ("trial", "test")
    assert trial.run != tests.run
    assert trial.postgres_data(18) != tests.postgres_data(18)


def test_a_person_keeps_everything_below_the_clone() -> None:
    places = locations(CLONE, {}, uid=1000)
    assert places.state == places.var == CLONE / "var"
    assert places.postgres_data(15) == CLONE / "var" / "postgres-15"


def test_root_keeps_data_where_another_uid_can_reach_it() -> None:
    places = locations(Path("/srv/desk"), {}, uid=0)
    assert places.state.parent == Path("/var/lib/servicedesk")
    assert places.state != locations(Path("/srv/desk2"), {}, uid=0).state


@pytest.mark.parametrize("name", ["a" * 200, "with space", "ünï"])
def test_sockets_stay_short_and_plain_wherever_the_clone_lies(name: str) -> None:
    places = locations(CLONE / name, {}, uid=1000)
    for path in (places.postgres_socket, places.broker_socket):
        assert len(os.fsencode(path)) <= SOCKET_PATH_LIMIT
        assert str(path).isascii()
        assert " " not in str(path)


def test_the_environment_may_name_folder_and_cluster() -> None:
    places = locations(CLONE, {"SERVICEDESK_VAR": "/data", "SERVICEDESK_CLUSTER": "test"}, uid=0)
    assert places.state == Path("/data")
    assert places.cluster == "test"


def test_the_addresses_name_the_sockets() -> None:
    places = locations(CLONE, {}, uid=1000)
    assert places.database_url == "postgresql:///servicedesk?host=/srv/desk/var/run&user=servicedesk"
    assert places.django_database()["HOST"] == "/srv/desk/var/run"
    assert places.broker_url == "redis+socket:///srv/desk/var/run/valkey.sock"
    assert places.cache_url() == "unix:///srv/desk/var/run/valkey.sock?db=1"
