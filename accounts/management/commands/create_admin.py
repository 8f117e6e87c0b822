"""Makes the first administrator of a desk, who makes everybody else, and the team that takes what no rule routes."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

import accounts.actions
from accounts.models import Team
from accounts.queries import actor_for
from accounts.roles import Role
from audit.actions import ActionRefused
from audit.actor import SYSTEM
from audit.context import entry

TRIAGE = {"name": "Service desk", "slug": "service-desk", "is_triage": True}


class Command(BaseCommand):
    help = "Makes an administrator; the password is asked for, or read from the first line of standard input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="The mail address to sign in with.")
        parser.add_argument("--name", default="", help="The person's name.")

    def handle(self, *args: Any, **options: Any) -> None:
        asks = sys.stdin.isatty()
        password = getpass.getpass("Password: ") if asks else sys.stdin.readline().rstrip("\n")
        with entry("command"):
            try:
                now = timezone.now()
                user = accounts.actions.create_user(
                    email=options["email"], name=options["name"], password=password, roles=[Role.ADMIN], by=SYSTEM,
                    at=now,
                )  # fmt: skip
                # Without a triage team, what nobody routes would be in nobody's queue.
                if not Team.objects.exists():
                    accounts.actions.create_team(values=TRIAGE, by=actor_for(user), at=now)
                    self.stdout.write(f"The team “{TRIAGE['name']}” takes what no rule routes.")
            except ActionRefused as refusal:
                raise CommandError(f"{refusal.detail} ({refusal.remedy})") from refusal
        self.stdout.write(f"{user.email} is an administrator now.")
