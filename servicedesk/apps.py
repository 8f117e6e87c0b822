"""Declares the project's own app."""

from django.apps import AppConfig


class ServicedeskConfig(AppConfig):
    name = "servicedesk"
    default_auto_field = "django.db.models.BigAutoField"
