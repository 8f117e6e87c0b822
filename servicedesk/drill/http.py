"""Calls the desk's own WSGI application as a client would: the drill uses the same entry points as the world."""

from __future__ import annotations

import io
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from servicedesk.wsgi import application


def call(method: str, path: str, *, body: bytes = b"", content_type: str = "", **headers: str) -> tuple[int, bytes]:
    """One request through middleware, routing and views; returns status and body."""
    address = urlsplit(settings.SERVICEDESK_URL)
    seen: list[int] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": address.hostname or "localhost",
        "SERVER_PORT": str(address.port or (443 if address.scheme == "https" else 80)),
        "HTTP_HOST": address.netloc,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": address.scheme or "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }

    def start_response(status: str, _headers: Any, _error: Any = None) -> Any:
        seen.append(int(status.split()[0]))
        return lambda data: None

    answer = application(environ, start_response)
    try:
        content = b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return seen[-1], content


def post_json(path: str, payload: dict[str, Any]) -> tuple[int, bytes]:
    return call("POST", path, body=json.dumps(payload).encode(), content_type="application/json")


def post_form(path: str, **values: str) -> tuple[int, bytes]:
    return call("POST", path, body=urlencode(values).encode(), content_type="application/x-www-form-urlencoded")
