"""`manage.py demo`: fills an empty desk with a believable one, and prints how to sign in."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from audit.context import acting, entry
from servicedesk.demo import stories
from servicedesk.demo.build import BUILDER, Demo


class Command(BaseCommand):
    help = "Load about 200 incidents with people, rota, policies and a post-mortem; running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(email=f"admin@{stories.DOMAIN}").exists():
            self.stdout.write("The demonstration is here already.")
        else:
            self._load()
        self.stdout.write(f"Sign in with the password {stories.PASSWORD} as:")
        for one in stories.PEOPLE:
            self.stdout.write(f"  {one.login + '@' + stories.DOMAIN:28} {one.name}: {', '.join(one.roles)}")

    def _load(self) -> None:
        demo = Demo(timezone.now())
        with connection.cursor() as cursor:
            cursor.execute("set synchronous_commit = off")
        # One commit, so that an interrupted load leaves nothing; savepoints stay few because most verbs nest none.
        with entry("command"), transaction.atomic(), acting(BUILDER, reason="demonstration"):
            demo.build()
        self.stdout.write(f"{demo.count()} incidents loaded.")
