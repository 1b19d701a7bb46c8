"""Guessing a password over real HTTP, against two processes and a proxy, with forged addresses."""

from __future__ import annotations

import re
from itertools import count

import httpx
import pytest

from tests.people import PASSWORD
from tests.sites import Server, Site

_numbers = count(2)
PROXY = "127.0.0.250"


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path, {"TRUSTED_PROXIES": f"{PROXY}, 10.0.0.0/8"})
    made.flask("user", "add", "Ada", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    yield made
    made.close()


@pytest.fixture
def guesser():
    made = []

    def make(server: Server, address: str | None = None) -> Guesser:
        made.append(Guesser(server, address))
        return made[-1]

    yield make
    for each in made:
        each.client.close()


class Guesser:
    """Somebody at an address of this machine (all of 127.0.0.0/8 is) who tries passwords."""

    def __init__(self, server: Server, address: str | None) -> None:
        transport = httpx.HTTPTransport(local_address=address or f"127.0.0.{next(_numbers)}")
        self.client = httpx.Client(base_url=server.url, transport=transport, timeout=100)

    def set_up(self, code: str, **headers: str) -> httpx.Response:
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get("/setup").text)[1]
        fields = {"csrf_token": token, "setup_code": code, "username": "Ada", "password": PASSWORD}
        return self.client.post("/setup", data=fields, headers=headers)

    def attempt(self, password: str, **headers: str) -> httpx.Response:
        page = self.client.get("/sign-in", headers=headers).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
        fields = {"csrf_token": token, "username": "Ada", "password": password}
        return self.client.post("/sign-in", data=fields, headers=headers)


def test_the_setup_code_cannot_be_guessed_faster_from_forged_addresses_or_at_another_process(tmp_path, guesser) -> None:
    site = Site(tmp_path)
    try:
        servers = [site.serve(), site.serve()]
        code = site.flask("setup-code").stdout.strip()
        attackers = [guesser(server, "127.0.0.99") for server in servers]
        forged = [{"X-Forwarded-For": f"198.51.100.{n}"} for n in range(14)]
        answers = [attackers[n % 2].set_up("AAAA-AAAA", **forged[n]) for n in range(14)]
        assert [answer.status_code for answer in answers] == [422] * 12 + [429] * 2
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
        assert "Too many tries. Wait" in answers[-1].text
        assert attackers[0].set_up(code).status_code == 429
        assert guesser(servers[1]).set_up(code).status_code == 303
    finally:
        site.close()


def test_the_thirteenth_try_is_refused_from_any_forged_address_and_the_owner_gets_in_from_elsewhere(
    site: Site, guesser
) -> None:
    servers = [site.serve(), site.serve()]
    attackers = [guesser(server, "127.0.0.99") for server in servers]
    answers = [
        attackers[n % 2].attempt(f"guess {n}", **{"X-Forwarded-For": f"198.51.100.{n}", "Forwarded": f"for=9.9.9.{n}"})
        for n in range(14)
    ]
    assert [answer.status_code for answer in answers] == [422] * 12 + [429] * 2
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert "Too many tries. Wait" in answers[-1].text
    assert 'value="Ada"' in answers[-1].text

    # The right password is refused as well there: an answer must not tell that it was right.
    assert attackers[0].attempt(PASSWORD).status_code == 429
    owner = guesser(servers[1])
    assert owner.attempt(PASSWORD).status_code == 303
    assert owner.client.get("/").status_code == 200

    # Behind the proxy, which adds the address that it saw.
    behind = [guesser(server, PROXY) for server in servers]
    answers = [behind[n % 2].attempt("guess", **{"X-Forwarded-For": f"6.6.6.{n}, 203.0.113.7"}) for n in range(13)]
    assert [answer.status_code for answer in answers] == [422] * 12 + [429]
    assert behind[0].attempt(PASSWORD, **{"X-Forwarded-For": "203.0.113.8"}).status_code == 303

    # A restart forgets nothing.
    for server in servers:
        server.stop()
    assert guesser(site.serve(), "127.0.0.99").attempt(PASSWORD).status_code == 429
