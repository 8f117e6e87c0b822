"""The first administrator."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Team, User
from accounts.queries import actor_for

pytestmark = pytest.mark.django_db


def test_the_first_administrator_comes_from_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a-good-long-one\n"))
    call_command("create_admin", "Ada@Example.org", name="Ada", stdout=io.StringIO())
    ada = User.objects.get()
    assert (ada.email, ada.check_password("a-good-long-one")) == ("ada@example.org", True)
    assert actor_for(ada).roles == {"admin"}
    assert User.history.get().actor_channel == "command"


def test_a_new_desk_has_a_team_for_what_no_rule_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("ada@example.org", "wen@example.org"):
        monkeypatch.setattr("sys.stdin", io.StringIO("a-good-long-one\n"))
        call_command("create_admin", address, stdout=io.StringIO())
    assert list(Team.objects.values_list("name", "is_triage")) == [("Service desk", True)]


def test_a_weak_password_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(CommandError, match="short"):
        call_command("create_admin", "ada@example.org", stdout=io.StringIO())
