"""Gives every test session a PostgreSQL of its own make: separate from the trial's, shared by the xdist workers."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    request: pytest.FixtureRequest,
    django_db_modify_db_settings_parallel_suffix: None,
) -> Iterator[None]:
    """Start (or share) the test cluster before the first test that needs a database, and let it go after the last."""
    from servicedesk.server.testing import cluster_for_tests

    keeps_its_name = request.config.getoption("reuse_db", False)
    with cluster_for_tests(os.getpid(), keeps_its_name=bool(keeps_its_name)):
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker, django_db_modify_db_settings: None
) -> Iterator[None]:
    """The migrated test database of this process: a copy of a template, migrated once for each state of the code."""
    from django.db import connection

    from servicedesk.server.testing import drop_database, make_database

    with django_db_blocker.unblock():
        name = connection.settings_dict["TEST"]["NAME"]
        make_database(name)
        try:
            yield
        finally:
            drop_database(name)
