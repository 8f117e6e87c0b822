"""The guarded client: where it may call, for how long, and what it says of the outcome."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from notify import channels, client
from notify.channels import Result
from tests.notify.factories import Provider, running_provider


def post(url: str) -> client.Answer:
    return client.post(url, content=b"{}", headers={"Idempotency-Key": "k", "Authorization": "Bearer x"})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe", "240.0.0.1", "fec0::1",
    ],
)  # fmt: skip
def test_inside_addresses_are_refused(address: str) -> None:
    assert client.is_allowed(address) is False


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert client.is_allowed(address) is True


def test_an_address_that_the_settings_list_is_allowed(settings: Any) -> None:
    settings.SERVICEDESK_OUTGOING_ALLOW = ["10.1.0.0/16", "fd00::/8"]
    assert client.is_allowed("10.1.2.3")
    assert client.is_allowed("::ffff:10.1.2.3")
    assert client.is_allowed("fd00::5")
    assert not client.is_allowed("10.2.0.1")


def test_the_address_is_checked_at_the_connection_and_nothing_arrives(settings: Any) -> None:
    settings.SERVICEDESK_OUTGOING_ALLOW = []
    with running_provider() as provider:
        with pytest.raises(client.AddressRefusedError, match="may not call"):
            post(provider.url)
        assert provider.keys == []


def test_a_name_that_resolves_to_the_inside_is_refused(settings: Any) -> None:
    settings.SERVICEDESK_OUTGOING_ALLOW = []
    with running_provider() as provider, pytest.raises(client.AddressRefusedError):
        post(provider.url.replace("127.0.0.1", "localhost"))


def test_it_connects_to_the_address_that_was_checked(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers differently the second time is asked only once."""
    asked: list[str] = []
    port = int(provider.url.split(":")[2].split("/")[0])

    def resolve(host: str, *args: Any, **more: Any) -> Any:
        asked.append(host)
        if host != "hooks.example.org":
            return real(host, *args, **more)
        address = "127.0.0.1" if asked.count(host) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert post(f"http://hooks.example.org:{port}/hook").status == 200
    assert asked.count("hooks.example.org") == 1
    assert provider.headers[0]["host"] == f"hooks.example.org:{port}"


def test_a_redirect_to_the_inside_is_refused(provider: Provider) -> None:
    provider.status, provider.answer_headers = 307, {"Location": "http://169.254.169.254/latest/meta-data/"}
    with pytest.raises(client.AddressRefusedError):
        post(provider.url)


def test_a_redirect_that_keeps_the_post_is_followed_without_the_secret(provider: Provider) -> None:
    with running_provider() as second:
        provider.status, provider.answer_headers = 308, {"Location": second.url}
        assert post(provider.url).status == 200
        assert second.keys == ["k"]
        assert "authorization" not in second.headers[0]


def test_a_redirect_that_would_turn_into_a_get_is_no_success(provider: Provider) -> None:
    provider.status, provider.answer_headers = 302, {"Location": provider.url}
    assert channels.post(provider.url, b"", {}, sent_at=0).result is Result.FAILED


def test_redirects_end(provider: Provider) -> None:
    provider.status, provider.answer_headers = 307, {"Location": provider.url}
    with pytest.raises(client.CallError, match="too many"):
        post(provider.url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://",
        "http://user:pw@example.org/",
        "http://[::1",
        "//x",
        "http://a:0/",
    ],
)
def test_only_plain_web_addresses_are_called(url: str) -> None:
    with pytest.raises(client.AddressRefusedError):
        post(url)


def test_no_proxy_of_the_environment_is_used(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(provider.url).status == 200


def test_a_long_answer_is_cut(provider: Provider) -> None:
    provider.answer = b"x" * 1_000_000
    assert len(post(provider.url).body) == client.MAX_ANSWER


def test_a_provider_that_drips_meets_the_time_for_the_whole_call(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TOTAL_SECONDS", 0.4)
    provider.drip = True
    begun = time.monotonic()
    post(provider.url)
    assert time.monotonic() - begun < 2


def test_silence_after_the_request_is_an_unknown_outcome(provider: Provider) -> None:
    provider.is_silent = True
    assert channels.post(provider.url, b"", {}, sent_at=0).result is Result.UNCERTAIN


def test_a_slow_provider_is_an_unknown_outcome(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TOTAL_SECONDS", 2)
    provider.delay_s = 4
    assert channels.post(provider.url, b"", {}, sent_at=0).result is Result.UNCERTAIN


def test_a_closed_port_is_a_failure_that_may_pass(settings: Any) -> None:
    settings.SERVICEDESK_OUTGOING_ALLOW = ["127.0.0.1"]
    outcome = channels.post("http://127.0.0.1:1/", b"", {}, sent_at=0)
    assert (outcome.result, outcome.permanent) == (Result.FAILED, False)


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (404, True), (410, True), (408, False), (429, False), (500, False), (503, False)],
)
def test_refusals_are_final_or_not_by_their_status(provider: Provider, status: int, permanent: bool) -> None:
    provider.status = status
    outcome = channels.post(provider.url, b"", {}, sent_at=0)
    assert (outcome.result, outcome.permanent) == (Result.FAILED, permanent)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("Mon, 02 Mar 2026 09:00:30 GMT", 30), ("Mon, 02 Mar 2020 09:00:30 GMT", 0), ("soon", None),
     ("-5", None), ("9" * 40, 86_400), ("", None)],
)  # fmt: skip
def test_retry_after_in_seconds_or_as_a_date(provider: Provider, value: str, seconds: float | None) -> None:
    provider.status, provider.answer_headers = 429, {"Retry-After": value}
    assert channels.post(provider.url, b"", {}, sent_at=1772442000.0).retry_after == seconds


def test_the_address_of_a_webhook_is_in_no_error(settings: Any) -> None:
    settings.SERVICEDESK_OUTGOING_ALLOW = ["127.0.0.1"]
    outcome = channels.post("http://127.0.0.1:1/secret-path-42", b"", {}, sent_at=0)
    assert "secret-path-42" not in outcome.detail
