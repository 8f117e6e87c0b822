"""The auditor's pages in a browser: usable by everybody, narrow and wide, light and dark."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.browser.test_quality import complaints, shortcomings

pytestmark = pytest.mark.browser
PAGES = (
    "/audit/", "/audit/?model=incidents.incident", "/audit/?who=carmen&change=%7E", "/audit/?since=nonsense",
    "/audit/access/", "/audit/configuration/", "/audit/configuration/?model=sla.calendar&at=2020-01-01",
)  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_everybody_can_use_the_auditors_pages(visit: Any, width: int, scheme: str) -> None:
    one = visit(width=width, scheme=scheme, script=True)
    one.sign_in("admin")
    wrong = []
    for number, path in enumerate(PAGES):
        one.go(path)
        wrong += shortcomings(one.page, width)
        if folder := os.environ.get("PICTURES"):
            one.page.screenshot(path=f"{folder}/{number}-{width}-{scheme}.png", full_page=True)
    assert wrong + [line for line in complaints(one) if "status of 400" not in line] == []
