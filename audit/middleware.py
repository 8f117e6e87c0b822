"""Names each request for the trail: its id, and the channel that it came in by."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from audit.context import entry

HEADER = "X-Request-ID"
_GIVEN = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CHANNELS = (("/api/", "api"), ("/admin/", "admin"), ("/r/", "link"), ("/help/t/", "link"), ("/help/c/", "link"))


class AuditMiddleware:
    """Takes the request id of the proxy in front, or makes one; every history row and event of the request bears it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request_id = given if _GIVEN.fullmatch(given) else uuid.uuid4().hex
        with entry(channel_of(request.path_info), request_id):
            response = self.get_response(request)
        response.headers[HEADER] = request_id
        return response


def channel_of(path: str) -> str:
    """The way in, by path: api, admin, link (a page behind a link in a mail) or page."""
    return next((channel for prefix, channel in _CHANNELS if path.startswith(prefix)), "page")
