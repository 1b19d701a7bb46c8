"""Under which names the site answers, whoever can have a name of their own lead to it."""

from __future__ import annotations

import pytest

from tests.people import add_person, add_token, close
from webadmin import config, hosts
from webadmin.app import create_app

OWN = ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "[::ffff:127.0.0.1]"]
ADDRESSES = ["192.168.1.5:8000", "203.0.113.7", "[2001:db8::7]:8000", "0.0.0.0:8000"]
STRANGE = [
    "", "evil.example", "evil.example:8000", "localhost.evil.example", "localhost.", "127.0.0.1.evil.example",
    "127.1",
    "2130706433", "0x7f.1", "127.0.0.1:80:80", "[::1", "[::1]evil", "a@localhost", "localhost/evil", "localhost,evil",
    "localhost evil", "[fe80::1%25eth0]", "ｌocalhost.evil", "x" * 5000,
]  # fmt: skip


@pytest.fixture
def answers(make_config, monkeypatch):
    def ask(host: str, **variables: str) -> bool:
        values = make_config(**variables)
        monkeypatch.setattr(config, "_provider", lambda: values)
        return hosts.is_ours(host)

    return ask


def test_without_the_setting_it_answers_under_addresses_and_localhost(answers):
    for listening in ("127.0.0.1", "0.0.0.0"):
        assert [host for host in OWN + ADDRESSES if not answers(host, HOST=listening)] == []
        assert [host for host in STRANGE if answers(host, HOST=listening)] == []


def test_with_it_under_what_it_names_and_this_machines_own_names(answers):
    names = {"ALLOWED_HOSTS": "Admin.Example.org, .lan,bücher.example,192.168.1.5,[2001:DB8:0::7]"}
    named = [
        "admin.example.org", "ADMIN.example.org:8443", "lan", "box.lan", "a.b.lan", "xn--bcher-kva.example",
        "192.168.1.5:8000", "[2001:db8::7]", "[2001:db8:0:0::7]:1",
    ]  # fmt: skip
    assert [host for host in OWN + named if not answers(host, **names)] == []
    others = [
        "example.org",
        "x.admin.example.org",
        "evillan",
        "lan.evil",
        "203.0.113.7",
        "192.168.1.50",
        "[2001:db8::8]",
    ]
    assert [host for host in STRANGE + others if answers(host, **names)] == []


def test_the_name_to_listen_on_is_one_of_its_names_and_a_star_is_every_one(answers):
    assert answers("Box.lan:8000", HOST="box.lan", ALLOWED_HOSTS="admin.example.org")
    assert answers("evil.example", ALLOWED_HOSTS="*")
    assert not answers("", ALLOWED_HOSTS="*")


@pytest.mark.parametrize(
    "text", ["https://a.example", "a.example:8000", "a/b", "a b", ".", "*.example", "a..b", "a,", "a" * 64, "ü" * 60]
)
def test_what_is_no_name_stops_the_start(make_config, text):
    with pytest.raises(config.ConfigError, match="ALLOWED_HOSTS"):
        make_config(ALLOWED_HOSTS=text)


def test_another_sites_name_reads_and_changes_nothing(make_config):
    app = create_app(make_config(ALLOWED_HOSTS="admin.example.org"))
    add_person(app, "Ada")
    bearer = {"Authorization": f"Bearer {add_token(app)}"}
    client = app.test_client()
    for path in ("/", "/sign-in", "/api/assistants", "/api/docs", "/metrics", "/no-such-page", "/api/no-such-call"):
        for method in ("GET", "POST", "OPTIONS"):
            answer = client.open(path, method=method, headers={"Host": "evil.example:8000", **bearer})
            assert answer.status_code == 400, (method, path)
            assert "Set-Cookie" not in answer.headers
            if path.startswith("/api/") and path != "/api/docs":
                assert answer.json["error"]["code"] == "VALIDATION_ERROR"
                assert "Host" in answer.json["error"]["message"]
                assert "ALLOWED_HOSTS" in answer.json["error"]["message"]
            elif method == "GET" and path != "/metrics":
                assert "ALLOWED_HOSTS" in answer.text
                assert 'href="/"' not in answer.text
                assert "evil" not in answer.text
    # What probes a machine calls it by its address, and this says nothing that it does not say to everybody.
    for path in ("/healthz", "/api/health"):
        assert client.get(path, headers={"Host": "10.0.0.5:8000"}).status_code == 200
    assert client.get("/sign-in", headers={"Host": "admin.example.org"}).status_code == 200
    close(app)
