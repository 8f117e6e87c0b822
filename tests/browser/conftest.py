"""A real Chromium at a real server of the demonstration. Without a Chromium on the machine these tests are skipped."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import connections

from tests import demonstration

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: It talks to this machine only.
ARGUMENTS = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
    "--disable-default-apps", "--disable-domain-reliability",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a Chromium one of them stands for all, so that the report has one line."""
    mine = [item for item in items if item.get_closest_marker("browser")]
    if CHROMIUM is not None or not mine:
        return
    reason = f"{len(mine)} tests in a browser: no Chromium on this machine (Debian: apt install chromium)"
    mine[0].add_marker(pytest.mark.skip(reason=reason))
    items[:] = [item for item in items if item not in mine[1:]]
    config.hook.pytest_deselected(items=mine[1:])


@pytest.fixture(scope="session")
def demo_built(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    yield
    with django_db_blocker.unblock():
        demonstration.drop_built()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for a module: while Playwright runs, Django takes the thread for an asynchronous one."""
    from playwright.sync_api import sync_playwright

    # Inside Playwright's loop Django keeps other connections: those from before would hold the database open.
    connections.close_all()
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    with sync_playwright() as playwright:
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """The test says what went wrong."""


class _Server(ThreadedWSGIServer):
    daemon_threads = True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            connections.close_all()

    def handle_error(self, *args: Any) -> None:
        """A browser that leaves in the middle is none."""


@pytest.fixture
def server(demo_built: None, django_db_blocker: Any, settings: Any) -> Iterator[str]:
    """The address of a desk with a demonstration of its own."""
    with django_db_blocker.unblock(), demonstration.demonstration():
        serving = _Server(("127.0.0.1", 0), _Quiet)
        serving.set_app(WSGIHandler())
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{serving.server_address[1]}"
        settings.ALLOWED_HOSTS = ["127.0.0.1"]
        yield address
        serving.shutdown()
        serving.server_close()
        thread.join()


@dataclasses.dataclass
class Visit:
    """One person's browser: what it complained about, and what it loaded."""

    page: Any
    address: str
    complaints: list[str]
    sizes: dict[str, int]

    def go(self, path: str) -> Any:
        self.sizes.clear()
        return self.page.goto(path if path.startswith("http") else self.address + path)

    def sign_in(self, login: str) -> None:
        self.go("/accounts/login/")
        self.page.fill("#id_username", f"{login}@demo.example")
        self.page.fill("#id_password", "demo-desk-2026")
        self.page.click("main button")
        self.page.wait_for_url(f"{self.address}/desk/**")

    def text(self) -> str:
        found: str = self.page.inner_text("body")
        return found


@pytest.fixture
def visit(chromium: Any, server: str) -> Iterator[Any]:
    """`visit(width=390, scheme="dark", script=False)` opens a browser of one's own, with an empty cache."""
    opened = []

    def open_browser(*, width: int = 1440, scheme: str = "light", script: bool = False) -> Visit:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script, locale="en-GB",
            timezone_id="Europe/Madrid",
        )  # fmt: skip
        context.set_default_timeout(15_000)
        opened.append(context)
        page = context.new_page()
        one = Visit(page, server, [], {})
        page.on("console", lambda said: _listen(one, said))
        page.on("pageerror", lambda error: one.complaints.append(str(error)))
        page.on("response", lambda answer: _weigh(one, answer))
        return one

    yield open_browser
    for context in opened:
        context.close()


def _listen(visit: Visit, said: Any) -> None:
    if said.type in ("error", "warning"):
        visit.complaints.append(f"{visit.page.url}: {said.text} {said.location.get('url', '')}")


def _weigh(visit: Visit, answer: Any) -> None:
    visit.sizes[answer.url] = int(answer.headers.get("content-length", 0))
