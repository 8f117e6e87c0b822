"""Intake keys stand in URLs, and never in logs."""

from __future__ import annotations

import logging

import pytest

from alerts.masking import MaskIntakeKeys, mask_event, masked

KEY = "sdi_abcd1234_fR0m-The_Secret99"


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        (f"POST /api/v1/intake/{KEY}/ 200", "POST /api/v1/intake/sdi_abcd1234_***/ 200"),
        ("POST /api/v1/intake/typo-of-a-key/ 404", "POST /api/v1/intake/***/ 404"),
        (f"Authorization: Bearer {KEY}", "Authorization: Bearer sdi_abcd1234_***"),
        ("GET /api/v1/intake/ 405", "GET /api/v1/intake/ 405"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_a_key_is_masked_and_its_prefix_stays(line: str, hidden: str) -> None:
    assert masked(line) == hidden
    assert masked(hidden) == hidden


def _record(message: object, *args: object) -> logging.LogRecord:
    return logging.LogRecord("django.request", logging.WARNING, __file__, 1, message, args, None)


def test_the_filter_masks_message_arguments_and_traceback() -> None:
    record = _record("%s: %s took %d ms", "Not Found", f"/api/v1/intake/{KEY}/", 7)
    try:
        raise ValueError(KEY)
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    assert MaskIntakeKeys().filter(record)
    line = logging.Formatter().format(record)
    assert "fR0m" not in line
    assert "took 7 ms" in line


def test_the_filter_masks_named_arguments_and_objects() -> None:
    record = _record("%(path)s", {"path": f"/intake/{KEY}/"})
    MaskIntakeKeys().filter(record)
    assert record.getMessage() == "/intake/sdi_abcd1234_***/"
    record = _record("%s", ValueError(KEY))
    MaskIntakeKeys().filter(record)
    assert "fR0m" not in record.getMessage()


def test_the_processor_masks_structured_fields() -> None:
    assert mask_event(None, "info", {"path": KEY, "status": 200}) == {"path": "sdi_abcd1234_***", "status": 200}
