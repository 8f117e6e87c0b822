"""Prometheus Alertmanager itself, pointed at a running desk: it opens, repeats, resolves, and cuts messages off.

Runs where its binary is found: Debian's `apt install prometheus-alertmanager`, or `$ALERTMANAGER` names another one.
The recipe without a test: the configuration below, then
`curl -XPOST -H 'Content-Type: application/json' -d '[{"labels": {"alertname": "X"}}]' localhost:9093/api/v2/alerts`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import connections

from alerts.models import Alert, AlertSource
from incidents.models import Incident
from tests.alerts.factories import AlertSourceFactory, key_of

BINARY = os.environ.get("ALERTMANAGER") or shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = [
    pytest.mark.proof,
    pytest.mark.usefixtures("committed_db"),
    pytest.mark.skipif(
        BINARY is None, reason="no Alertmanager here (Debian: prometheus-alertmanager; or $ALERTMANAGER)"
    ),
]

CONFIGURATION = """
route:
  receiver: desk
  group_by: [cluster]
  group_wait: 100ms
  group_interval: 1s
  repeat_interval: 1s
receivers:
  - name: desk
    webhook_configs:
      - url: {url}
        send_resolved: true
        max_alerts: {max_alerts}
"""
NAMES = ("HighLatency", "DiskFull", "QueueFull")
Send = Callable[..., None]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Silence: pytest shows what fails."""


def _app(environ: Any, start_response: Any) -> Any:
    try:
        return list(get_wsgi_application()(environ, start_response))
    finally:
        connections.close_all()


@pytest.fixture
def desk(committed_db: None) -> Iterator[str]:
    """The address of a desk that serves the test's own database."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.set_app(_app)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


@pytest.fixture
def source(committed_db: None) -> AlertSource:
    return AlertSourceFactory()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def alertmanager(desk: str, source: AlertSource, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Send]:
    """Alertmanager, posting to the desk; gives a function that tells it of alerts as Prometheus would."""
    url, port = f"{desk}/api/v1/intake/{key_of(source)}/", _free_port()
    config = tmp_path / "alertmanager.yml"
    config.write_text(CONFIGURATION.format(url=url, max_alerts=getattr(request, "param", 0)))
    arguments = [
        f"--config.file={config}", f"--storage.path={tmp_path}", "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen([str(BINARY), *arguments], stdout=log, stderr=subprocess.STDOUT)

    def send(*names: str, ended: bool = False) -> None:
        now = datetime.now(UTC)
        ends_at = now if ended else now + timedelta(minutes=5)
        alerts = [
            {"labels": {"alertname": name, "cluster": "blue", "severity": "critical"},
             "annotations": {"summary": f"{name} in blue"}, "endsAt": ends_at.isoformat()}
            for name in names
        ]  # fmt: skip
        body = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(body, timeout=5).close()

    try:
        until(lambda: _answers(port) or process.poll() is not None, "Alertmanager answers")
        assert process.poll() is None, (tmp_path / "log").read_text()
        yield send
    finally:
        process.terminate()
        process.wait(timeout=10)
        log.close()


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1).close()
    except OSError:
        return False
    return True


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"not within 30 s: {what}"
        time.sleep(0.1)


def states() -> list[str]:
    return sorted(Incident.objects.values_list("state", flat=True))


def test_alertmanager_opens_repeats_and_resolves(alertmanager: Send) -> None:
    alertmanager(*NAMES)
    until(lambda: Incident.objects.count() == 3, "each alert opened an incident")
    until(lambda: min(Alert.objects.values_list("repeat_count", flat=True)) >= 2, "the repeats are counted")
    assert states() == ["new"] * 3
    alertmanager(NAMES[0], ended=True)
    until(lambda: states() == ["new", "new", "resolved"], "the one that recovered is resolved")
    alertmanager(*NAMES[1:], ended=True)
    until(lambda: states() == ["resolved"] * 3, "all recovered")
    assert set(Incident.objects.values_list("resolution_code", flat=True)) == {"recovered"}


def test_alertmanager_reopens_what_fires_again(alertmanager: Send) -> None:
    alertmanager(NAMES[0])
    until(lambda: states() == ["new"], "it opened")
    alertmanager(NAMES[0], ended=True)
    until(lambda: states() == ["resolved"], "it recovered")
    time.sleep(1.1)  # Alertmanager forgets a resolved alert of its group after the next flush
    alertmanager(NAMES[0])
    until(lambda: states() == ["in_progress"], "it was reopened")
    assert Incident.objects.get().reopen_count == 1


@pytest.mark.parametrize("alertmanager", [1], indirect=True)
def test_a_message_cut_off_by_max_alerts_still_resolves_all(alertmanager: Send) -> None:
    for count, name in enumerate(sorted(NAMES, reverse=True), start=1):  # only the first by label is in each message
        alertmanager(name)
        until(lambda count=count: Incident.objects.count() == count, f"{name} opened")  # type: ignore[misc]
    alertmanager(*NAMES, ended=True)
    until(lambda: states() == ["resolved"] * 3, "all recovered by a message that names one")
    assert Alert.objects.filter(last_payload__message__truncatedAlerts=2, state="resolved").count() >= 1
