"""What `manage.py check --deploy` refuses: defaults that are right for a trial and wrong for anybody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import Error, Tags, register

from servicedesk.settings import INSECURE_KEY

_LOCAL = {"localhost", "127.0.0.1", "[::1]"}


@register(Tags.security, deploy=True)
def deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[Error]:
    """Each finding names the setting and what to set."""
    findings = []
    if settings.SECRET_KEY == INSECURE_KEY:
        findings.append(
            Error(
                "The secret key is the trial's.",
                hint="Set SERVICEDESK_SECRET_KEY to a random text.",
                id="servicedesk.E001",
            )
        )
    if settings.DEBUG:
        findings.append(Error("Debug mode is on.", hint="Unset SERVICEDESK_DEBUG.", id="servicedesk.E002"))
    hosts = set(settings.ALLOWED_HOSTS)
    if not hosts or "*" in hosts or hosts <= _LOCAL:
        findings.append(
            Error(
                "The desk's host names are not set.", hint="Set SERVICEDESK_HOSTS, without `*`.", id="servicedesk.E003"
            )
        )
    if settings.SERVICEDESK_MAILBOX:
        findings.append(
            Error("Mails are kept in the trial's mailbox page.", hint="Set EMAIL_URL.", id="servicedesk.E004")
        )
    if not settings.SERVICEDESK_URL.startswith("https://") or not settings.SECURE_SSL_REDIRECT:
        findings.append(
            Error(
                "Links and cookies are not bound to https.",
                hint="Set SERVICEDESK_URL=https://... and SERVICEDESK_SECURE=1 (SERVICEDESK_PROXY=1 behind a proxy).",
                id="servicedesk.E005",
            )
        )
    return findings
