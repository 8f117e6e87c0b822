"""Makes the first administrator of a desk, who makes everybody else."""

from __future__ import annotations

import getpass
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

import accounts.actions
from accounts.roles import Role
from audit.actions import ActionRefused
from audit.actor import SYSTEM
from audit.context import entry


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
                user = accounts.actions.create_user(
                    email=options["email"],
                    name=options["name"],
                    password=password,
                    roles=[Role.ADMIN],
                    by=SYSTEM,
                    at=timezone.now(),
                )
            except ActionRefused as refusal:
                raise CommandError(f"{refusal.detail} ({refusal.remedy})") from refusal
        self.stdout.write(f"{user.email} is an administrator now.")
