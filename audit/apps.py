"""Declares the audit app; once all apps are loaded it checks the declared events and subscriptions."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit.subscriptions import load

        load()
