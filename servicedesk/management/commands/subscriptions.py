"""`manage.py subscriptions`: prints event -> handlers, as they are registered now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from audit import subscriptions


class Command(BaseCommand):
    help = "Print which handlers listen to which events."
    requires_system_checks: list[str] = []
    needs = "nothing"

    def handle(self, *args: Any, **options: Any) -> None:
        for one in subscriptions.all_subscriptions():
            how = "required" if one.required else "deferred" if one.deferred else ""
            self.stdout.write(f"{one.kind:32} {one.name} {how}".rstrip())
