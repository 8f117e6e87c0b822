"""What stands beside an incident on its page: what was merged into it, and where it was merged."""

from __future__ import annotations

from typing import Any

import incidents.queries
from audit.actor import Actor
from incidents.models import Incident


def of(actor: Actor, incident: Incident, *, is_staff: bool) -> dict[str, Any]:
    """The incidents around this one, as far as the reader may see them."""
    found: dict[str, Any] = {"heir": incidents.queries.visible_heir(actor, incident)}
    if is_staff:
        visible = Incident.objects.visible_to(actor).select_related("requester")
        found["merged"] = list(visible.filter(merged_into=incident).order_by("number"))
    return found
