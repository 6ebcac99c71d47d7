"""Where a webhook may not go: whatever leads inside, by whatever spelling."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from pytest_django import Settings

from monitoring.notify.destinations import judged
from monitoring.notify.transport import PermanentFailure, TemporaryFailure

_INSIDE = (
    "127.0.0.1",
    "127.1",
    "0177.0.0.1",
    "0x7f000001",
    "2130706433",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "localhost",
    "0.0.0.0",  # noqa: S104  Nobody listens on it.
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[::ffff:169.254.169.254]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
)

_PLAIN = ("10.1.2.3", "100.64.0.1", "192.0.0.192", "224.0.0.1")


@pytest.mark.parametrize("host", _INSIDE)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_it_goes_nowhere_inside(scheme: str, host: str) -> None:
    with pytest.raises((PermanentFailure, TemporaryFailure)):
        judged(f"{scheme}://{host}/hook")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://93.184.216.34/",
        "file:///etc/passwd",
        "gopher://93.184.216.34:70/",
        "unix:/run/docker.sock",
        "//93.184.216.34/",
        "93.184.216.34",
        "",
        "https://",
        "https:///hook",
        "https://user:password@93.184.216.34/",
        "https://user@127.0.0.1#@93.184.216.34/",
        "https://[::1",
        "https://[nonsense]/",
        "https://93.184.216.34:99999/",
        "https://93.184.216.34:port/",
        f"https://{'a' * 300}.example/",
    ],
)
def test_it_takes_only_whole_web_addresses_without_credentials(url: str) -> None:
    with pytest.raises(PermanentFailure):
        judged(url)


@pytest.mark.parametrize("port", [22, 25, 3306, 5432, 5672, 6379, 11211])
def test_it_speaks_to_no_databases_and_brokers(port: int) -> None:
    with pytest.raises(PermanentFailure, match=f"port {port} is no web server's"):
        judged(f"https://93.184.216.34:{port}/")


def test_it_takes_a_public_address_over_https_only() -> None:
    found = judged("https://93.184.216.34/hook?plant=ulm")
    assert (found.address, found.port, found.path) == ("93.184.216.34", 443, "/hook?plant=ulm")
    with pytest.raises(PermanentFailure, match="not reached over https"):
        judged("http://93.184.216.34/hook")


def test_it_goes_inside_where_an_administrator_allowed_the_network(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["10.0.0.0/8", "fd00::/8"]
    assert judged("http://10.1.2.3:8080/hook").address == "10.1.2.3"
    assert judged("http://[fd00::7]/hook").address == "fd00::7"
    assert judged("http://[::ffff:10.1.2.3]/hook").port == 80
    with pytest.raises(PermanentFailure, match=r"169\.254\.169\.254, which is inside"):
        judged("http://169.254.169.254/latest/meta-data/")


def _resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """DNS says what an attacker's server would; no test reaches for the real one."""

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr("monitoring.notify.destinations.socket.getaddrinfo", answer)


def test_it_refuses_a_name_one_of_whose_addresses_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolving_to(monkeypatch, "93.184.216.34", "127.0.0.1")
    with pytest.raises(PermanentFailure, match=r"leads to 127\.0\.0\.1"):
        judged("https://mixed.example/")


def test_it_pins_the_address_it_judged_so_that_a_rebound_name_leads_nowhere_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _resolving_to(monkeypatch, "93.184.216.34")
    found = judged("https://rebind.example/")
    _resolving_to(monkeypatch, "127.0.0.1")
    assert (found.host, found.address) == ("rebind.example", "93.184.216.34")


def test_it_tries_a_name_again_that_cannot_be_resolved_now(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr("monitoring.notify.destinations.socket.getaddrinfo", fails)
    with pytest.raises(TemporaryFailure, match="can't be resolved"):
        judged("https://desk.example/")


@pytest.mark.parametrize("flag", ["is_private", "is_global"])
def test_trusting_one_of_pythons_flags_is_caught(flag: str) -> None:
    """The control: judged by a single flag, some of the addresses above would pass."""
    addresses = [ipaddress.ip_address(host.strip("[]")) for host in _INSIDE if host.startswith("[") or host in _PLAIN]
    passing = [found for found in addresses if (found.is_global if flag == "is_global" else not found.is_private)]
    assert passing
