"""Notes in the trail who took numbers out of the desk."""

from __future__ import annotations

from datetime import datetime

from accounts.models import User
from audit.actions import Forbidden, action, record
from audit.actor import Actor
from metrics.events import ReportEvent
from metrics.permissions import can_see_numbers


@action
def note_export(*, report: str, asked: str, by: Actor, at: datetime) -> None:
    """Says that somebody exports a report; refused to who may not see it. Records `report.exported`."""
    if not can_see_numbers(by) or by.user_id is None:
        raise Forbidden(f"{by.label} may not export reports", remedy="ask a lead or a manager")
    record(ReportEvent.EXPORTED, User.objects.get(pk=by.user_id), by, at, report=report, asked=asked)
