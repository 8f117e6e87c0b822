"""One file per tool: each turns that tool's body into alerts, and knows nothing of the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from alerts.adapters import alertmanager, generic
from alerts.parsed import ParsedMessage

Adapter = Callable[[object, datetime], ParsedMessage]

#: By the name that stands on the source.
ADAPTERS: dict[str, Adapter] = {"alertmanager": alertmanager.parse, "generic": generic.parse}
