"""P12: from an alert's POST to the provider's webhook, through web, beat, worker and the trial's broker."""

from __future__ import annotations

import http.server
import json
import threading
import time
from typing import Any

from django.utils import timezone

from bench import servers, world
from bench.desk import Desk
from bench.load import one, request
from bench.report import Figure

GOAL = 1.0


class _Provider(http.server.ThreadingHTTPServer):
    """Notes when each page arrived, by the incident that it names."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.arrived: dict[str, list[float]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Call(http.server.BaseHTTPRequestHandler):
    server: _Provider

    def do_POST(self) -> None:
        now = time.monotonic()
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        for word in text.replace('"', " ").replace("/", " ").replace(":", " ").split():
            if word.startswith("INC-"):
                self.server.arrived.setdefault(word.rstrip(".,"), []).append(now)
                break
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *given: Any) -> None:
        """Quiet."""


def measure(desk: Desk) -> list[Figure]:
    provider = _Provider()
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    world.page_by_webhook(desk.world, provider.url, timezone.now())
    path, count = f"/api/v1/intake/{desk.world.paging_key}/", 5 if desk.brief else 60
    sent: dict[str, float] = {}
    try:
        with servers.worker_and_beat(desk.servers, "bench"):
            time.sleep(3)
            for number in range(count):
                body = {
                    "title": f"Payments fail {number}",
                    "fingerprint": f"page-{number}",
                    "labels": {"n": str(number)},
                }
                began = time.monotonic()
                status, _, answer = one(desk.web, request("POST", path, body=body))
                if status >= 300:
                    raise RuntimeError(f"the alert was refused: {answer[:300]!r}")
                sent[json.loads(answer)["incidents"][0]] = began
                time.sleep(0.15)
            servers.wait_until(lambda: set(sent) <= set(provider.arrived), 30)
    finally:
        provider.shutdown()
    taken = sorted(provider.arrived[name][0] - began for name, began in sent.items() if name in provider.arrived)
    if not taken:
        raise RuntimeError("no page arrived")
    p50, p99 = taken[len(taken) // 2], taken[min(len(taken) - 1, int(len(taken) * 0.99))]
    doubled = sum(len(provider.arrived[name]) - 1 for name in sent if name in provider.arrived)
    detail = {"sent": count, "arrived": len(taken), "doubled": doubled, "p50_s": p50, "p99_s": p99, "max_s": taken[-1]}
    return [
        Figure(
            "P12",
            f"alert to provider, {len(taken)} of {count} pages",
            f"p50 {p50 * 1000:.0f} ms",
            f"p99 {p99 * 1000:.0f} ms",
            p99,
            "s",
            f"p99 <= {GOAL:.0f} s (the trial: noted)",
            None,
            detail,
        )
    ]
