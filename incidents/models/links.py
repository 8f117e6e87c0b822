"""The addresses that let a requester in without a login, and who stands behind them."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import User
from incidents import passes
from incidents.models.incident import Incident
from incidents.models.reports import Report
from notify.models import token_hash


def pass_key() -> bytes:
    """What the links of requesters are signed with, derived from the desk's secret."""
    return hmac.new(settings.SECRET_KEY.encode(), b"incidents.passes", hashlib.sha256).digest()


def link_for(user: User, incident: Incident, at: datetime, *, lifetime: timedelta | None = None) -> str:
    """The address that lets a person into one incident of theirs without a login, for so long."""
    ends = at + (lifetime or timedelta(days=settings.SERVICEDESK_LINK_DAYS))
    token = passes.issue(passes.Purpose.INCIDENT, user.pk, incident.number, ends, pass_key())
    return f"{settings.SERVICEDESK_URL}/help/t/{token}/"


def list_link_for(user: User, ends: datetime) -> str:
    """The address of a person's own list."""
    token = passes.issue(passes.Purpose.LIST, user.pk, 0, ends, pass_key())
    return f"{settings.SERVICEDESK_URL}/help/m/{token}/"


def holder_of(token: str, purpose: passes.Purpose) -> tuple[passes.Pass, User | None] | None:
    """A genuine pass with its person, who is None after leaving; None for anything else."""
    found = passes.read(token, pass_key())
    if found is None or found.purpose is not purpose:
        return None
    return found, User.objects.active().filter(pk=found.user_id).first()


def report_of(token: str, at: datetime) -> Report | None:
    """The report that a link confirms, as long as it is valid."""
    if not token.isascii() or len(token) > 100:
        return None
    return Report.objects.filter(token_hash=token_hash(token), expires_at__gt=at).first()
