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
    ],
)
def test_each_default_of_the_trial_is_refused(settings: Any, name: str, value: Any, finding: str) -> None:
    assert found(settings, **{name: value}) == {finding}


def test_every_finding_says_what_to_set(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert all(
        "Set SERVICEDESK_" in (one.hint or "") or "Set EMAIL_URL" in (one.hint or "") for one in deployment(None)
    )


def test_the_command_fails_on_the_trials_settings() -> None:
    with pytest.raises(SystemCheckError, match=r"servicedesk\.E001"):
        call_command("check", deploy=True)
