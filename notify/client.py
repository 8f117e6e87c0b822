"""The one HTTP client of the desk: it calls only where it is allowed to, for a bounded time, for a bounded answer.

The address is checked when the connection is opened, on the address that is really used: a name that resolves anew
between check and connect, and a redirect to the inside, are refused like a plain one.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx
from django.conf import settings

#: All of one call, redirects included.
TOTAL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
MAX_ANSWER = 65_536
MAX_REDIRECTS = 3
USER_AGENT = "servicedesk"

_V4_IN_V6 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))

_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost", "ip6-loopback", "broadcasthost"})

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class CallError(Exception):
    """A call that surely did not reach the provider, or was refused by it."""

    def __init__(self, detail: str, *, permanent: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.permanent = permanent


class AddressRefusedError(CallError):
    """The address may not be called from here."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, permanent=True)


class UnknownOutcomeError(Exception):
    """The request may have arrived, and no answer came."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the body is cut at the cap."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address wraps, so that nobody walks around the check."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if wrapped := (address.ipv4_mapped or address.sixtofour):
        return wrapped
    if address.teredo:
        return address.teredo[1]
    if any(address in network for network in _V4_IN_V6):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _allowed_inside(address: Address) -> bool:
    for entry in settings.SERVICEDESK_OUTGOING_ALLOW:
        network = ipaddress.ip_network(entry, strict=False)
        if address.version == network.version and address in network:
            return True
    return False


def is_allowed(text: str) -> bool:
    """Whether this address may be called: a public one, or one that the settings list."""
    address = _inner(ipaddress.ip_address(text.partition("%")[0]))
    if _allowed_inside(address):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False  # deprecated, and yet Python calls it global
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback
    )


def refuse_inside(url: str) -> None:
    """Refuses an address that by its letters alone lies inside; what a name stands for is checked when it is called.

    `127.1`, `0x7f000001` and the like are addresses too: the system's resolver takes them.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host in _LOOPBACK_NAMES or host.endswith((".localhost", ".localdomain")):
        literal = "127.0.0.1"
    else:
        try:
            literal = str(ipaddress.ip_address(host.partition("%")[0]))
        except ValueError:
            try:
                literal = socket.inet_ntoa(socket.inet_aton(host))
            except (OSError, UnicodeError):
                return
    if not is_allowed(literal):
        raise AddressRefusedError(f"{host} is an address that the desk may not call")


def _resolved(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CallError(f"{host} can't be resolved") from error
    return list(dict.fromkeys(str(row[4][0]) for row in found))


class _Deadline:
    """Caps the whole call: a server that sends a byte every few seconds meets it too."""

    def __init__(self, seconds: float) -> None:
        self.ends = time.monotonic() + seconds

    def left(self, wanted: float | None = None, *, connected: bool = True) -> float:
        left = self.ends - time.monotonic()
        if left <= 0:
            over = httpcore.ReadTimeout if connected else httpcore.ConnectTimeout
            raise over("the time for the whole call is over")
        return left if wanted is None else min(left, wanted)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(
            self._inner.start_tls(ssl_context, server_hostname, self._deadline.left(timeout)), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Resolves, checks, and connects to the very address that was checked."""

    def __init__(self, deadline: _Deadline) -> None:
        self._plain = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        addresses = _resolved(host, port)
        good = [one for one in addresses if is_allowed(one)]
        if not good:
            raise AddressRefusedError(f"{host} is an address that the desk may not call")
        for one in good[:-1]:
            try:
                return self._connect(one, port, timeout, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(good[-1], port, timeout, socket_options)

    def _connect(self, address: str, port: int, timeout: float | None, options: Any) -> httpcore.NetworkStream:
        stream = self._plain.connect_tcp(address, port, self._deadline.left(timeout, connected=False), None, options)
        return _Stream(stream, self._deadline)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise AddressRefusedError("a socket file is no address to call")


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Made once: reading the trusted roots costs more than a call."""
    return ssl.create_default_context()


class _Transport(httpx.HTTPTransport):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__(verify=_trusted(), trust_env=False, retries=0)
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trusted(), network_backend=_Backend(deadline), max_keepalive_connections=0
        )


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefusedError("the address is no URL") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise AddressRefusedError("only http and https addresses are called")
    if parts.username or parts.password:
        raise AddressRefusedError("an address may not hold a user name or password")
    return url


def post(url: str, *, content: bytes, headers: Mapping[str, str]) -> Answer:
    """Posts once and returns the answer; a 307 or 308 is followed to an address that is checked anew.

    Raises CallError when nothing can have arrived, UnknownOutcomeError when something may have. No proxy, cookie or
    netrc of the environment is used. Other redirects are answers: they would turn the POST into a GET.
    """
    deadline = _Deadline(TOTAL_SECONDS)
    limits = httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS)
    with httpx.Client(
        transport=_Transport(deadline), timeout=limits, trust_env=False, follow_redirects=False
    ) as client:
        for _ in range(MAX_REDIRECTS + 1):
            answer = _once(client, _checked_url(url), content, headers)
            target = answer.headers.get("location", "")
            if answer.status not in {307, 308} or not target:
                return answer
            following = _checked_url(urljoin(url, target))
            if urlsplit(url).scheme == "https" and urlsplit(following).scheme == "http":
                raise AddressRefusedError("a redirect from https to http is not followed")
            if urlsplit(url).netloc != urlsplit(following).netloc:
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            url = following
    raise CallError("too many redirects", permanent=True)


def _once(client: httpx.Client, url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    try:
        request = client.build_request("POST", url, content=content, headers={"User-Agent": USER_AGENT, **headers})
        response = client.send(request, stream=True)
        try:
            return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, _body(response))
        finally:
            response.close()
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise CallError(f"no connection: {_plainly(error)}") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as error:
        raise AddressRefusedError(f"the address can't be called: {type(error).__name__}") from error
    except (httpx.TransportError, httpcore.TimeoutException) as error:
        raise UnknownOutcomeError(f"no answer: {type(error).__name__}") from error


def _body(response: httpx.Response) -> bytes:
    """At most the cap; the status is known already, so a body that breaks off changes nothing."""
    read = b""
    try:
        for chunk in response.iter_raw():
            read += chunk
            if len(read) >= MAX_ANSWER:
                break
    except (httpx.TransportError, httpcore.TimeoutException):
        pass
    return read[:MAX_ANSWER]


def _plainly(error: Exception) -> str:
    """The cause without the URL: a webhook's address often is its secret."""
    text = str(error.__cause__ or error)
    return type(error).__name__ if "://" in text else text[:200]
