"""The limit of calls over real HTTP: two processes count together, and every counted answer says what is left."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx
import pytest

from tests.people import add_person, add_token, close, session_token, sign_in
from tests.sites import Site
from webadmin.app import create_app
from webadmin.config import Config

CALL = "/api/jobs/unknown"
LIMIT = 20
_numbers = count(2)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("limit"), {"RATE_LIMIT_MAX_REQUESTS": str(LIMIT)})
    yield made
    made.close()


@pytest.fixture(scope="module")
def servers(site):
    return [site.serve(), site.serve()]


@pytest.fixture(scope="module")
def make_token(site, servers):
    """Gives a new token at each call."""
    app = create_app(Config.load(site.environment(), env_file=None))
    yield lambda: add_token(app, f"robot {next(_numbers)}")
    close(app)


@pytest.fixture
def token(make_token):
    return make_token()


def at_address(server, **headers):
    """A client with an address of its own: all of 127.0.0.0/8 is this machine."""
    transport = httpx.HTTPTransport(local_address=f"127.0.0.{next(_numbers)}")
    return httpx.Client(base_url=server.url, headers=headers, transport=transport, timeout=100)


def left(answer):
    [(remaining, seconds)] = re.findall(r'^"default";r=(\d+);t=(\d+)$', answer.headers["RateLimit"])
    return int(remaining), int(seconds)


def test_two_processes_count_together_to_the_call(site, servers, token):
    with site.client(servers[0], token) as one, site.client(servers[1], token) as two, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: (one, two)[n % 2].get(CALL), range(60)))
    assert [a.status_code for a in answers].count(404) == LIMIT
    assert [a.status_code for a in answers].count(429) == 60 - LIMIT
    assert sorted(left(a)[0] for a in answers if a.status_code == 404) == list(range(LIMIT))


def test_a_call_too_many_is_answered_in_the_envelope(site, servers, token):
    with site.client(servers[0], token) as client:
        for _ in range(LIMIT):
            client.get(CALL)
        answer = client.post("/api/assistants/backup/import", content=b"never read")
    assert answer.status_code == 429
    error = answer.json()["error"]
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["traceId"]
    wait = int(answer.headers["Retry-After"])
    assert left(answer) == (0, wait)
    assert 50 <= wait <= 60
    assert f"{LIMIT} calls in 60 s" in error["message"]
    assert f"Wait {wait} s" in error["message"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/assistants/backup/export", 200),
        ("HEAD", "/api/assistants/backup/export", 200),
        ("GET", "/api/no-such-thing", 404),
        ("DELETE", "/api/assistants/backup/export", 405),
        ("POST", "/api/assistants/backup/import", 415),
        ("GET", "/api/assistants/backup/import", 405),
    ],
)
def test_every_counted_answer_tells_what_is_left(site, servers, token, method, path, status):
    with site.client(servers[0], token) as client:
        answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["RateLimit-Policy"] == f'"default";q={LIMIT};w=60'
    assert left(answer) == (LIMIT - 1, 60)


def test_a_body_that_is_too_large_is_counted(make_config):
    app = create_app(make_config(RATE_LIMIT_MAX_REQUESTS="2", MAX_UPLOAD_SIZE="10"))
    headers = {"Authorization": f"Bearer {add_token(app)}"}
    environment = {"webadmin.body_discarded": "too-large"}
    answers = [
        app.test_client().post("/api/assistants/backup/import", headers=headers, environ_overrides=environment)
        for _ in range(3)
    ]
    assert [answer.status_code for answer in answers] == [413, 413, 429]
    assert answers[0].headers["RateLimit"] == '"default";r=1;t=60'


def test_tokens_have_a_count_each_and_their_address_has_none(servers, token, make_token):
    with at_address(servers[0]) as client:
        for _ in range(LIMIT):
            client.get(CALL, headers={"Authorization": f"Bearer {token}"})
        other = {"Authorization": f"Bearer {make_token()}"}
        assert left(client.get(CALL, headers=other))[0] == LIMIT - 1
        assert left(client.get(CALL))[0] == LIMIT - 1


def test_without_a_valid_token_the_address_is_counted(servers, token):
    with at_address(servers[0]) as client, at_address(servers[1]) as elsewhere:
        attempts = [{}, {"Authorization": "Bearer aat_wrong"}, {"Authorization": "Bearer"}]
        statuses = [client.get(CALL, headers=attempts[n % 3]) for n in range(LIMIT + 1)]
        assert [answer.status_code for answer in statuses] == [401] * LIMIT + [429]
        assert left(statuses[0]) == (LIMIT - 1, 60)
        assert client.get(CALL, headers={"Authorization": f"Bearer {token}"}).status_code == 404
        assert elsewhere.get(CALL).status_code == 401


def test_health_and_pages_are_not_counted(servers):
    with at_address(servers[0]) as client:
        for path in ("/api/health", "/healthz", "/sign-in", "/static/css/app.css"):
            for _ in range(LIMIT + 1):
                answer = client.get(path)
                assert answer.status_code in (200, 303), path
                assert "RateLimit" not in answer.headers
        assert left(client.get(CALL))[0] == LIMIT - 1


def test_a_preflight_is_not_counted(servers):
    asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    with at_address(servers[0]) as client:
        for _ in range(LIMIT + 1):
            answer = client.options(CALL, headers=asks)
            assert answer.status_code == 401
            assert "RateLimit" not in answer.headers
        assert left(client.get(CALL))[0] == LIMIT - 1


def test_a_signed_in_browser_is_not_counted(make_config):
    app = create_app(make_config(RATE_LIMIT_MAX_REQUESTS="2"))
    add_person(app, "Ada")
    browser = app.test_client()
    sign_in(browser, "Ada")
    for _ in range(4):
        answer = browser.get(CALL)
        assert answer.status_code == 404
        assert "RateLimit" not in answer.headers
        assert browser.post("/api/assistants/backup/import").status_code == 403
        assert (
            browser.post("/api/assistants/backup/import", headers={"X-CSRFToken": session_token(browser)}).status_code
            == 415
        )
    browser.delete_cookie("aa_session")
    assert [browser.get(CALL).status_code for _ in range(3)] == [401, 401, 429]


def test_zero_switches_the_limit_off(make_config):
    app = create_app(make_config(RATE_LIMIT_MAX_REQUESTS="0"))
    headers = {"Authorization": f"Bearer {add_token(app)}"}
    for _ in range(120):
        answer = app.test_client().get(CALL, headers=headers)
        assert answer.status_code == 404
    assert not {"RateLimit", "RateLimit-Policy", "Retry-After"} & set(answer.headers.keys())


def test_when_the_window_has_ended_calls_go_through_again(tmp_path):
    short = Site(tmp_path, {"RATE_LIMIT_MAX_REQUESTS": "2", "RATE_LIMIT_WINDOW_MS": "1500"})
    try:
        with short.client(short.serve()) as client:
            statuses = [client.get(CALL).status_code for _ in range(2)]
            refused = client.get(CALL)
            assert refused.headers["RateLimit-Policy"] == '"default";q=2;w=2'
            time.sleep(int(refused.headers["Retry-After"]))
            statuses += [refused.status_code, client.get(CALL).status_code]
    finally:
        short.close()
    assert statuses == [404, 404, 429, 404]
