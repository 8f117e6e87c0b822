"""What `check --deploy` refuses: the trial's defaults."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from servicedesk.checks import deployment

GOOD: dict[str, Any] = {
    "SECRET_KEY": "9d0f0b5e-a-long-random-text-that-only-this-desk-knows-4c1b77e2a0",
    "DEBUG": False,
    "ALLOWED_HOSTS": ["desk.example.org"],
    "SERVICEDESK_MAILBOX": False,
    "SERVICEDESK_URL": "https://desk.example.org",
    "SECURE_SSL_REDIRECT": True,
    "SERVICEDESK_EMAIL_URL": "smtp+tls://desk:secret@mail.example.org:587",
    "SERVICEDESK_OWN_DATABASE": False,
    "SERVICEDESK_OUTGOING_ALLOW": ["10.1.2.0/24", "192.168.7.9", "fd12:3456:789a::/48"],
}


def found(settings: Any, **changed: Any) -> set[str]:
    for name, value in {**GOOD, **changed}.items():
        setattr(settings, name, value)
    return {str(one.id).removeprefix("servicedesk.") for one in deployment(None)}


def test_a_desk_set_up_for_others_passes(settings: Any) -> None:
    assert found(settings) == set()


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [
        ("SECRET_KEY", "insecure-key-of-the-trial-never-use-it-in-production", "E001"),
        ("DEBUG", True, "E002"),
        ("ALLOWED_HOSTS", [], "E003"),
        ("ALLOWED_HOSTS", ["*"], "E003"),
        ("ALLOWED_HOSTS", ["desk.example.org", "*"], "E003"),
        ("ALLOWED_HOSTS", ["localhost", "127.0.0.1"], "E003"),
        ("SERVICEDESK_MAILBOX", True, "E004"),
        ("SERVICEDESK_URL", "http://desk.example.org", "E005"),
        ("SECURE_SSL_REDIRECT", False, "E005"),
        ("SECRET_KEY", "", "E001"),
        ("SECRET_KEY", "short-but-not-the-default", "E001"),
        ("SECRET_KEY", "ab" * 40, "E001"),
        ("SERVICEDESK_EMAIL_URL", "", "E006"),
        ("SERVICEDESK_EMAIL_URL", "consolemail://", "E006"),
        ("SERVICEDESK_EMAIL_URL", "smtp://", "E006"),
        ("SERVICEDESK_OWN_DATABASE", True, "E007"),
        ("SERVICEDESK_OUTGOING_ALLOW", ["0.0.0.0/0"], "E008"),
        ("SERVICEDESK_OUTGOING_ALLOW", ["10.0.0.0/8"], "E008"),
        ("SERVICEDESK_OUTGOING_ALLOW", ["::/0"], "E008"),
        ("SERVICEDESK_OUTGOING_ALLOW", ["127.0.0.1"], "E008"),
        ("SERVICEDESK_OUTGOING_ALLOW", ["169.254.169.254"], "E008"),
        ("SERVICEDESK_OUTGOING_ALLOW", ["intranet"], "E008"),
    ],
)
def test_each_default_of_the_trial_is_refused(settings: Any, name: str, value: Any, finding: str) -> None:
    assert found(settings, **{name: value}) == {finding}


def test_every_finding_says_what_to_set(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert all(
        any(f"Set {name}" in (one.hint or "") for name in ("SERVICEDESK_", "EMAIL_URL", "DATABASE_URL"))
        for one in deployment(None)
    )


def test_the_command_fails_on_the_trials_settings() -> None:
    with pytest.raises(SystemCheckError, match=r"servicedesk\.E001"):
        call_command("check", deploy=True)
