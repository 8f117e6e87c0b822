#!/usr/bin/env python3
"""Takes the README's pictures: a desk of its own with the demonstration, walked through the loop once.

Usage: make screenshots, or .venv/bin/python scripts/screenshots.py [folder]; it needs a Chromium on the machine.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
TITLE = "Payment gateway returns 502"
LARGEST = 150_000


def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    sys.exit("screenshots: no Chromium on this machine (Debian: apt install chromium)")


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@contextmanager
def desk() -> Iterator[str]:
    """A running desk with worker and beat in a folder of its own; everything is gone afterwards."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="desk-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root
        unwanted = ("DATABASE_URL", "CELERY_BROKER_URL", "CACHE_URL", "EMAIL_URL")
        environment = {name: value for name, value in os.environ.items() if name not in unwanted}
        environment |= {"SERVICEDESK_VAR": folder, "PORT": str(port), "SERVICEDESK_URL": address}
        command = [sys.executable, str(ROOT / "manage.py"), "up"]
        running = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            await_answer(address, running)
            yield address
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(60)


def await_answer(address: str, running: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if running.poll() is not None:
            sys.exit("screenshots: the desk did not start; its own message stands above")
        try:
            urllib.request.urlopen(f"{address}/healthz", timeout=2).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    sys.exit("screenshots: the desk does not answer")


class Camera:
    """One browser; `shoot` writes a picture and refuses one that is too large for a README."""

    def __init__(self, browser: Any, address: str, folder: Path) -> None:
        self.browser, self.address, self.folder = browser, address, folder

    def page(self, width: int, height: int) -> Any:
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, locale="en-GB", color_scheme="light", java_script_enabled=False
        )
        return context.new_page()

    def signed_in(self, login: str) -> Any:
        page = self.page(1200, 760)
        page.goto(f"{self.address}/accounts/login/")
        page.fill("#id_username", f"{login}@demo.example")
        page.fill("#id_password", "demo-desk-2026")
        page.click("main button")
        page.wait_for_url("**/desk/**")
        return page

    def shoot(self, page: Any, name: str, *, full: bool = False) -> None:
        target = self.folder / f"{name}.png"
        page.screenshot(path=target, full_page=full)
        size = target.stat().st_size
        print(f"{target.name}: {size // 1000} KB")
        if size > LARGEST:
            sys.exit(f"screenshots: {target.name} is larger than {LARGEST // 1000} KB")


def the_page_in_the_mailbox(camera: Camera, page: Any) -> str:
    """Waits until whoever is on call has the page in the mailbox; returns the link that the mail holds."""
    for attempt in range(90):
        person = ("olu", "wen", "ada")[attempt % 3]
        page.goto(f"{camera.address}/mailbox/?to={person}@demo.example")
        mail = page.locator(f"td a:has-text('{TITLE}')").first
        if mail.count():
            break
        time.sleep(0.3)
    else:
        sys.exit("screenshots: the page did not arrive in the mailbox")
    mail.click()
    camera.shoot(page, "mailbox")
    link = re.search(r'href="[^"]*(/r/[^"]+)"', page.content())
    if link is None:
        sys.exit("screenshots: the mail has no link")
    return camera.address + link[1]


def walk(camera: Camera) -> None:
    """The loop: queue, new incident, the page, the responder's tap, resolved, the post-mortem."""
    carmen = camera.signed_in("carmen")
    carmen.goto(f"{camera.address}/desk/?view=open")
    camera.shoot(carmen, "queue")
    ada = camera.signed_in("ada")
    ada.goto(f"{camera.address}/desk/?view=team")
    ada.click(f"a:has-text('{TITLE}')")
    incident = ada.url
    camera.shoot(ada, "incident-new")
    link = the_page_in_the_mailbox(camera, ada)
    phone = camera.page(390, 600)
    phone.goto(link)
    camera.shoot(phone, "responder")
    phone.click("button:has-text('I am on it')")
    ada.goto(incident)
    ada.click("summary:has-text('Resolve')")
    ada.fill("#resolve_notes", "Rolled the afternoon's release back; error rate is at zero since.")
    ada.select_option("#resolve_cause", "change")
    ada.click("form[action$='/resolve/'] button")
    camera.shoot(ada, "incident-resolved")
    ada.click("h2:has-text('Post-mortem') + p a")
    camera.shoot(ada, "postmortem")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    path = chromium()
    with desk() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-background-networking", "--force-device-scale-factor=1"],
        )
        walk(Camera(browser, address, folder))
        browser.close()


if __name__ == "__main__":
    main()
