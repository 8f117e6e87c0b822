"""Declares the project's own app and its deployment checks."""

from django.apps import AppConfig


class ServicedeskConfig(AppConfig):
    name = "servicedesk"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from servicedesk import checks  # noqa: F401
