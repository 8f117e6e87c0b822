"""The admin of incidents and of their settings."""

from incidents.admin import incident, settings

__all__ = ["incident", "settings"]
