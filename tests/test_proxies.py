"""Whose address a request has, whatever it claims."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from webadmin.proxies import Forwarded

TRUSTED = tuple(map(ip_network, ("10.0.0.0/8", "fd00::1", "127.0.0.1")))


def seen(peer: str, forwarded: str | None = None, trusted=TRUSTED, **headers: str) -> dict[str, str]:
    """What the application sees."""
    environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", **headers}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    found: dict[str, str] = {}
    list(Forwarded(lambda env, _start: found.update(env) or [], trusted)(environ, None))
    return found


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:55555", "198.51.100.1"),
        ("fd00::1", "[2001:db8::7]:443", "2001:db8::7"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6," * 5000 + "198.51.100.1", "198.51.100.1"),
    ],
)
def test_the_nearest_address_that_is_no_trusted_proxy_counts(peer: str, forwarded: str | None, address: str) -> None:
    assert seen(peer, forwarded)["REMOTE_ADDR"] == address


@pytest.mark.parametrize(
    ("peer", "schemes", "scheme"),
    [("203.0.113.9", "https", "http"), ("10.0.0.1", "https", "https"), ("10.0.0.1", "http, HTTPS", "https"),
     ("10.0.0.1", "gopher", "http")],
)  # fmt: skip
def test_the_scheme_is_believed_from_a_trusted_proxy_alone(peer: str, schemes: str, scheme: str) -> None:
    assert seen(peer, HTTP_X_FORWARDED_PROTO=schemes)["wsgi.url_scheme"] == scheme


def test_nothing_behind_can_read_what_was_forwarded() -> None:
    names = ("FOR", "PROTO", "HOST", "PORT", "PREFIX")
    headers = {f"HTTP_X_FORWARDED_{name}": "6.6.6.6" for name in names} | {"HTTP_FORWARDED": "for=6.6.6.6"}
    for peer in ("10.0.0.1", "203.0.113.9"):
        assert not [name for name in seen(peer, trusted=(), **headers) if "FORWARDED" in name]
