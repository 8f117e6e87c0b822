"""The incidents' form in the API, for whoever tells others of them (webhooks), by the settings' name of `shown_to`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from audit.actor import Actor
from incidents.api.shown import RELATIONS, shown, visible_relations
from incidents.models import Incident


def shown_to(actor: Actor, incidents: Sequence[Incident], internal: Collection[int]) -> dict[int, dict[str, Any]]:
    """Id -> what the API shows of it; the internal part only of those in `internal`."""
    numbers = [
        {name: getattr(one, name).number if getattr(one, f"{name}_id") else None for name in RELATIONS}
        for one in incidents
    ]  # fmt: skip
    return {
        one.pk: shown(one, is_staff=one.pk in internal, relations=relations)
        for one, relations in zip(incidents, visible_relations(actor, numbers), strict=True)
    }
