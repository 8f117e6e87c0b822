"""A command gets what it needs and no more."""

from __future__ import annotations

import pytest

from servicedesk.server import commands


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("manage.py", "nothing"),
        ("manage.py check", "nothing"),
        ("manage.py check --deploy", "nothing"),
        ("manage.py check --database default", "database"),
        ("manage.py spectacular --file x", "nothing"),
        ("manage.py migrate --help", "nothing"),
        ("manage.py migrate", "database"),
        ("manage.py shell", "database"),
        ("manage.py up", "nothing"),
    ],
)
def test_a_command_line_says_what_it_needs(line: str, needed: str) -> None:
    assert commands.needs(line.split()) == needed


def test_only_our_own_commands_may_migrate_an_empty_database() -> None:
    assert commands.is_ours("up")
    assert not commands.is_ours("migrate")
    assert not commands.is_ours("../up")


def test_the_trial_keeps_its_mails_and_links_to_its_port() -> None:
    environ = {"PORT": "8123", "SERVICEDESK_CLUSTER": "trial"}
    commands.describe_trial(["manage.py", "up"], environ)
    assert environ["SERVICEDESK_MAILBOX"] == "true"
    assert environ["SERVICEDESK_URL"] == "http://localhost:8123"


@pytest.mark.parametrize("given", [{"DATABASE_URL": "postgresql://elsewhere/desk"}, {"EMAIL_URL": "smtp://mail:25"}])
def test_a_configured_desk_sends_its_mails(given: dict[str, str]) -> None:
    environ = given | {"SERVICEDESK_CLUSTER": "trial"}
    commands.describe_trial(["manage.py", "up"], environ)
    assert "SERVICEDESK_MAILBOX" not in environ
