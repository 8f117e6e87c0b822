"""A database with a small demonstration in it: built once in a process, cloned for each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, connections
from django.test import override_settings
from django.utils import timezone

import audit.tasks
import metrics.tasks
import notify.tasks
import oncall.tasks
from accounts.models import User
from servicedesk.demo import build

#: Enough of everything for each page to have rows.
PAST, PRESENT = 4, 14
_built: dict[str, str] = {}


def _administer(*statements: str) -> None:
    parameters = {
        key: value for key, value in connection.get_connection_params().items()
        if key in {"host", "port", "user", "password"}
    }  # fmt: skip
    with psycopg.connect(**parameters, dbname="postgres", autocommit=True) as link:
        for statement in statements:
            link.execute(statement)


@contextmanager
def _using(name: str) -> Iterator[None]:
    before = connection.settings_dict["NAME"]
    _point_at(name)
    try:
        yield
    finally:
        _point_at(before)


def _point_at(name: str) -> None:
    connection.close()
    connections.settings["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


@contextmanager
def demonstration() -> Iterator[None]:
    """While it lasts, every connection of this process goes to a fresh clone in which commits are real."""
    with override_settings(EMAIL_BACKEND="notify.channels.mailbox.EmailBackend", SERVICEDESK_MAILBOX=True):
        yield from _cloned()


def _cloned() -> Iterator[None]:
    base = connection.settings_dict["NAME"]
    connection.close()
    if base not in _built:
        _administer(f'drop database if exists "{base}_demo" with (force)')
        _administer(f'create database "{base}_demo" template "{base}"')
        with _using(f"{base}_demo"):
            _build()
        _built[base] = f"{base}_demo"
    clone = f"{base}_of_demo"
    _administer(
        f'drop database if exists "{clone}" with (force)', f'create database "{clone}" template "{_built[base]}"'
    )
    try:
        with _using(clone):
            yield
    finally:
        _administer(f'drop database if exists "{clone}" with (force)')


def drop_built() -> None:
    for name in _built.values():
        _administer(f'drop database if exists "{name}" with (force)')
    _built.clear()


def _build() -> None:
    now = timezone.now()
    sizes = build.PAST, build.PRESENT
    build.PAST, build.PRESENT = PAST, PRESENT
    try:
        build.Demo(now).build()
    finally:
        build.PAST, build.PRESENT = sizes
    _settle()


def _settle() -> None:
    """What worker and beat would do in the first second."""
    now = timezone.now()
    audit.tasks.sweep_deliveries(at=now)
    oncall.tasks.sweep(at=now)
    notify.tasks.send_due(at=now)
    metrics.tasks.sweep(at=now)


def person(login: str) -> User:
    return User.objects.get(email=f"{login}@demo.example")


def signed_in(login: str, **options: Any) -> Any:
    """A Django client with a session of that person."""
    from django.test import Client

    client = Client(**options)
    client.force_login(person(login))
    return client
