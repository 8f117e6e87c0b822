"""What `manage.py check --deploy` refuses: defaults that are right for a trial and wrong for anybody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from servicedesk.settings import INSECURE_KEY

_LOCAL = {"localhost", "127.0.0.1", "[::1]"}
#: Django's own measure of a key that can't be guessed.
_KEY_LENGTH, _KEY_LETTERS = 50, 5
#: Schemes of EMAIL_URL that reach a mail server; the others print or swallow.
_SMTP = {"smtp", "smtps", "smtp+tls", "smtp+ssl"}
#: The widest network that an allowance for outgoing calls may open, by IP version.
_WIDEST = {4: 16, 6: 48}


@register(Tags.security, deploy=True)
def deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Error]:
    """Each finding names the setting and what to set."""
    return [*_secret(), *_doors(), *_mail(), *_database(), *_outgoing()]


def _found(number: int, what: str, hint: str) -> Error:
    return Error(what, hint=hint, id=f"servicedesk.E{number:03d}")


def _secret() -> Iterator[Error]:
    hint = "Set SERVICEDESK_SECRET_KEY to a random text, as `openssl rand -base64 48` prints one."
    try:
        key = str(settings.SECRET_KEY)
    except ImproperlyConfigured:
        key = ""
    if key == INSECURE_KEY:
        yield _found(1, "The secret key is the trial's.", hint)
    elif len(key) < _KEY_LENGTH or len(set(key)) < _KEY_LETTERS:
        yield _found(1, f"The secret key is empty or short: it has {len(key)} characters, not {_KEY_LENGTH}.", hint)


def _doors() -> Iterator[Error]:
    if settings.DEBUG:
        yield _found(2, "Debug mode is on.", "Unset SERVICEDESK_DEBUG.")
    hosts = set(settings.ALLOWED_HOSTS)
    if not hosts or "*" in hosts or hosts <= _LOCAL:
        yield _found(3, "The desk's host names are not set.", "Set SERVICEDESK_HOSTS, without `*`.")
    if not settings.SERVICEDESK_URL.startswith("https://") or not settings.SECURE_SSL_REDIRECT:
        yield _found(
            5, "Links and cookies are not bound to https.",
            "Set SERVICEDESK_URL=https://... and SERVICEDESK_SECURE=1 (SERVICEDESK_PROXY=1 behind a proxy).",
        )  # fmt: skip


def _mail() -> Iterator[Error]:
    if settings.SERVICEDESK_MAILBOX:
        yield _found(4, "Mails are kept in the trial's mailbox page.", "Set EMAIL_URL, and unset SERVICEDESK_MAILBOX.")
    given = urlsplit(settings.SERVICEDESK_EMAIL_URL)
    if given.scheme not in _SMTP or not given.hostname:
        yield _found(
            6, "No mail server is named.", "Set EMAIL_URL, like smtp+tls://user:password@mail.example.org:587."
        )


def _database() -> Iterator[Error]:
    if settings.SERVICEDESK_OWN_DATABASE:
        yield _found(
            7,
            "The database is the trial's own.",
            "Set DATABASE_URL to a PostgreSQL of yours that is backed up.",
        )


def _outgoing() -> Iterator[Error]:
    for entry in settings.SERVICEDESK_OUTGOING_ALLOW:
        if problem := _too_wide(entry):
            yield _found(
                8, f"Webhooks may reach {entry}: {problem}.",
                "Set SERVICEDESK_OUTGOING_ALLOW to the few addresses or networks that are needed.",
            )  # fmt: skip


def _too_wide(entry: str) -> str:
    """What is wrong with an allowance; empty when nothing is."""
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return "this is no network and no address"
    if network.prefixlen < _WIDEST[network.version]:
        return f"a network wider than /{_WIDEST[network.version]}"
    if network.is_loopback:
        return "the desk's own machine"
    return "link-local addresses, where clouds keep their credentials" if network.is_link_local else ""
