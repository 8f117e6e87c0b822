"""Each request has an id and a channel, and leaves neither behind."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from audit.context import current_entry
from audit.middleware import AuditMiddleware


def _answer(request: HttpRequest) -> HttpResponse:
    here = current_entry()
    return HttpResponse(f"{here.channel} {here.request_id}")


@pytest.mark.parametrize(
    ("path", "channel"),
    [("/api/v1/incidents/", "api"), ("/admin/", "admin"), ("/r/token/", "link"), ("/desk/", "page"), ("/", "page")],
)
def test_the_channel_follows_from_the_path(path: str, channel: str) -> None:
    response = AuditMiddleware(_answer)(RequestFactory().get(path, headers={"x-request-id": "abc-1"}))
    assert response.content.decode() == f"{channel} abc-1"
    assert response["X-Request-ID"] == "abc-1"
    assert current_entry().channel == "code"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ü", "a\tb"])
def test_a_missing_or_hostile_id_is_replaced(given: str) -> None:
    response = AuditMiddleware(_answer)(RequestFactory().get("/", headers={"x-request-id": given}))
    assert response["X-Request-ID"] != given
    assert len(response["X-Request-ID"]) == 32
