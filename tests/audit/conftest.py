"""Adds the app with the specimens; its tables come by migrations, like everybody's."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings

if not apps.is_installed("tests.audit.app"):
    apps.set_installed_apps([*settings.INSTALLED_APPS, "tests.audit.app"])
