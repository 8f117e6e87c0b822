"""A small loader: N kept-alive connections on one thread, raw sockets, so that it takes little of the machine."""

from __future__ import annotations

import dataclasses
import json
import selectors
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.servers import Web, cpu_seconds

Ask = Callable[[], bytes]


@dataclasses.dataclass(slots=True)
class Sample:
    """What one stretch of load gave; `web_ms` and `database_ms` are CPU per answer of the two servers."""

    per_s: float
    p50_ms: float
    p99_ms: float
    answers: int
    bad: int
    first_bad: str
    web_ms: float
    database_ms: float


def request(method: str, path: str, *, body: Any = None, key: str = "", cookie: str = "", headers: str = "") -> bytes:
    """One HTTP/1.1 request as bytes."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Accept: */*"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += [f"Cookie: {cookie}"] if cookie else []
    lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if body is not None else []
    lines += [headers] if headers else []
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class _Line:
    """One connection: sends a request, collects the answer, notes how long it took."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.wanted = -1
        self.began = 0.0

    def send(self, content: bytes) -> None:
        self.buffer, self.wanted, self.began = b"", -1, time.perf_counter()
        self.socket.sendall(content)

    def receive(self) -> bool:
        """Whether the answer is whole."""
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.buffer += part
        if self.wanted < 0:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            if at >= 0:
                self.wanted = end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
            elif b"transfer-encoding: chunked" in head:
                return self.buffer.endswith(b"0\r\n\r\n")
            else:
                self.wanted = end + 4
        return len(self.buffer) >= self.wanted


def run(
    web: Web, ask: Ask, *, seconds: float, connections: int = 8, answered: Callable[[bytes], None] | None = None
) -> Sample:
    """Loads the server for so long; every connection asks again as soon as it was answered."""
    lines = [_Line(web.port) for _ in range(connections)]
    taken: list[float] = []
    bad, first_bad = 0, ""
    pids = web.pid(), web.servers.postmaster()
    with selectors.DefaultSelector() as ready:
        before = [cpu_seconds(pid) for pid in pids]
        began = time.perf_counter()
        ends = began + seconds
        for line in lines:
            ready.register(line.socket, selectors.EVENT_READ, line)
            line.send(ask())
        waiting = len(lines)
        while waiting:
            for key, _ in ready.select(timeout=30):
                line = key.data
                if not line.receive():
                    continue
                now = time.perf_counter()
                taken.append(now - line.began)
                if line.buffer[9:10] != b"2":
                    bad, first_bad = bad + 1, first_bad or line.buffer[:2000].decode(errors="replace")
                elif answered:
                    answered(line.buffer)
                if now < ends:
                    line.send(ask())
                else:
                    waiting -= 1
        took = time.perf_counter() - began
        after = [cpu_seconds(pid) for pid in pids]
    for line in lines:
        line.socket.close()
    taken.sort()
    count = len(taken)
    spent = [(late - early) * 1000 / count for early, late in zip(before, after, strict=True)]
    return Sample(
        per_s=count / took,
        p50_ms=taken[count // 2] * 1000,
        p99_ms=taken[int(count * 0.99)] * 1000,
        answers=count,
        bad=bad,
        first_bad=first_bad,
        web_ms=spent[0],
        database_ms=spent[1],
    )


def one(web: Web, content: bytes) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own: status, headers, body."""
    line = _Line(web.port)
    line.send(content)
    while not line.receive():
        pass
    line.socket.close()
    head, _, body = line.buffer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split()[1]), {k.lower(): v.strip() for k, _, v in (one.partition(":") for one in rest)}, body


@dataclasses.dataclass(slots=True)
class Side:
    """One side of a comparison: a name, what to ask, and the samples so far."""

    name: str
    ask: Ask
    web: Web
    samples: list[Sample] = dataclasses.field(default_factory=list)
    answered: Callable[[bytes], None] | None = None

    def median(self, what: str = "per_s") -> float:
        return statistics.median(getattr(one, what) for one in self.samples)

    def described(self) -> dict[str, float]:
        shown = {name: round(self.median(name), 3) for name in ("per_s", "p50_ms", "p99_ms", "web_ms", "database_ms")}
        return shown | {"answers": sum(one.answers for one in self.samples)}


class BadAnswers(Exception):
    """A side that refuses measures nothing."""


def alternate(*sides: Side, rounds: int, seconds: float, connections: int = 8) -> None:
    """Loads the sides in turns after a short warm-up, so that a machine that slows down slows all of them."""
    for number in range(-1, rounds):
        for side in sides:
            sample = run(
                side.web,
                side.ask,
                seconds=min(1.0, seconds) if number < 0 else seconds,
                connections=connections,
                answered=side.answered,
            )
            if sample.bad > sample.answers * 0.01:
                raise BadAnswers(
                    f"{side.name}: {sample.bad} of {sample.answers} answers were refusals:\n{sample.first_bad}"
                )
            if number >= 0:
                side.samples.append(sample)


def ratio(one: Side, other: Side, what: str = "per_s") -> float:
    """The median over the rounds of one side's figure by the other's of the same round."""
    return statistics.median(
        getattr(a, what) / getattr(b, what) for a, b in zip(one.samples, other.samples, strict=True)
    )
