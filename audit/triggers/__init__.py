"""Writes the history in the database: functions and triggers generated from the models, installed by migrations."""

from audit.triggers.installed import InstallTriggers, check, install

__all__ = ["InstallTriggers", "check", "install"]
