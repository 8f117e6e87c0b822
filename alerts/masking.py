"""Keeps capabilities out of logs: intake keys and links of people stand in URLs, and every library logs URLs."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

#: The prefix stays readable, so that a log line still says which source it was.
_KEY = re.compile(r"\b(sdi_[a-z0-9]{8})_[A-Za-z0-9_-]+")
#: Whatever stands where a key belongs may be a key with a typing error.
_PATH = re.compile(r"(/(?:intake|r|contacts|help/[tmc])/)(?!sdi_[a-z0-9]{8}_\*\*\*)[^/\s\"'?]+")


def masked(text: str) -> str:
    return _PATH.sub(r"\1***", _KEY.sub(r"\1_***", text))


def _masked_value(value: object) -> object:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, int | float | bool | None):
        return value
    text = str(value)
    hidden = masked(text)
    return value if hidden == text else hidden


class MaskIntakeKeys(logging.Filter):
    """A filter for every handler: masks message, arguments and traceback text, and never drops a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = _masked_value(record.msg)
        if isinstance(record.args, Mapping):
            record.args = {name: _masked_value(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(_masked_value(value) for value in record.args)
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = masked(record.exc_text)
        return True


def mask_event(logger: object, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """The same as a structlog processor."""
    return {field: _masked_value(value) for field, value in event.items()}
