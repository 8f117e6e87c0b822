"""Mails of these tests land in the desk's own mailbox, as in the trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.notify.factories import Provider, running_provider


@pytest.fixture(autouse=True)
def _mailbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "notify.channels.mailbox.EmailBackend"
    settings.SERVICEDESK_MAILBOX = True


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    """A provider on this machine that the guarded client may reach."""
    settings.SERVICEDESK_OUTGOING_ALLOW = ["127.0.0.1"]
    with running_provider() as found:
        yield found
