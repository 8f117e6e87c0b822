"""What the audit app itself tells upwards, and how any app declares its event kinds."""

from __future__ import annotations

import dataclasses
from enum import StrEnum


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """The declaration of one event kind: its meaning in a line, and the keys its data carries."""

    meaning: str
    keys: tuple[str, ...] = ()


class AuditEvent(StrEnum):
    CONFIG_CREATED = "config.created"
    CONFIG_CHANGED = "config.changed"
    CONFIG_REMOVED = "config.removed"


KINDS: dict[str, Kind] = {
    AuditEvent.CONFIG_CREATED: Kind("A person created a piece of configuration.", ("model", "label")),
    AuditEvent.CONFIG_CHANGED: Kind("A person changed a piece of configuration.", ("model", "label", "fields")),
    AuditEvent.CONFIG_REMOVED: Kind("A person removed a piece of configuration.", ("model", "label")),
}
