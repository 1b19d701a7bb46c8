"""Pages of other sites over real HTTP: who may call, what they may read, and that a cookie is never asked for."""

from __future__ import annotations

import httpx
import pytest

from tests.people import add_person, add_token, close, sign_in
from tests.sites import Site
from webadmin.app import create_app
from webadmin.config import Config

FRIEND, STRANGER = "https://app.example.org", "https://elsewhere.example"
CALL = "/api/assistants/backup/export"


def serve(folder, **settings):
    site = Site(folder, settings)
    server = site.serve()
    app = create_app(Config.load(site.environment(), env_file=None))
    token = add_token(app)
    close(app)
    with httpx.Client(base_url=server.url, timeout=100) as client:
        client.token = {"Authorization": f"Bearer {token}"}
        yield client
    site.close()


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """A client of a site that names two origins."""
    yield from serve(tmp_path_factory.mktemp("listed"), CORS_ORIGINS=f"{FRIEND}, http://localhost:3000")


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory):
    yield from serve(tmp_path_factory.mktemp("all"), CORS_ORIGINS="*", RATE_LIMIT_MAX_REQUESTS="1000")


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    yield from serve(tmp_path_factory.mktemp("closed"))


def preflight(client, origin, method="PUT", path="/api/assistants/ast_1"):
    asks = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "if-match"}
    return client.options(path, headers=asks)


def words(header):
    return {word.strip() for word in header.split(",")}


def cors_headers(answer):
    return {name for name in answer.headers if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", [FRIEND, "http://localhost:3000"])
def test_a_listed_site_reads_the_answer_and_its_headers(listed, origin):
    answer = listed.get(CALL, headers=listed.token | {"Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert words(answer.headers["Access-Control-Expose-Headers"]) >= {
        "ETag", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id", "Content-Disposition",
    }  # fmt: skip
    assert "Origin" in words(answer.headers["Vary"])
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [STRANGER, "null", "http://app.example.org", f"{FRIEND}:8443", f"{FRIEND}.evil.example", "*", ""]
)
def test_any_other_site_is_told_nothing(listed, origin):
    answer = listed.get(CALL, headers=listed.token | {"Origin": origin})
    assert answer.status_code == 200
    assert cors_headers(answer) == set()
    assert "Origin" in words(answer.headers["Vary"])
    refused = preflight(listed, origin)
    assert refused.status_code == 401
    assert cors_headers(refused) == set()


def test_an_answer_without_origin_says_that_it_depends_on_it(listed):
    answer = listed.get(CALL, headers=listed.token)
    assert "Origin" in words(answer.headers["Vary"])
    assert cors_headers(answer) == set()


@pytest.mark.parametrize("path", ["/api/assistants", "/api/assistants/ast_1", "/api/no-such-thing", "/api/health"])
def test_a_preflight_needs_no_token(listed, path):
    answer = preflight(listed, FRIEND, path=path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
    assert words(answer.headers["Access-Control-Allow-Methods"]) == {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
    assert words(answer.headers["Access-Control-Allow-Headers"]) == {
        "Authorization", "Content-Type", "Content-Encoding", "If-Match", "If-None-Match", "Prefer",
    }  # fmt: skip
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert "Origin" in words(answer.headers["Vary"])
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def test_a_preflight_gives_no_way_around_the_token(listed):
    assert listed.options("/api/assistants", headers={"Origin": FRIEND}).status_code == 401
    asks = {"Origin": FRIEND, "Access-Control-Request-Method": "GET"}
    assert listed.get(CALL, headers=asks).status_code == 401
    assert listed.post("/api/assistants/backup/import", headers=asks).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", CALL, 401), ("GET", "/api/no-such-thing", 404), ("DELETE", CALL, 405), ("GET", "/api/health", 200)],
)
def test_errors_can_be_read_by_a_listed_site_too(listed, method, path, status):
    headers = {} if status == 401 else listed.token
    answer = listed.request(method, path, headers=headers | {"Origin": FRIEND})
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND


@pytest.mark.parametrize("origin", [STRANGER, "null", None])
def test_a_star_lets_every_site_in_and_depends_on_none(open_to_all, origin):
    answer = open_to_all.get(CALL, headers=open_to_all.token | ({"Origin": origin} if origin else {}))
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Origin" not in answer.headers.get("Vary", "")
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_star_answers_every_preflight_and_counts_none(open_to_all):
    answer = preflight(open_to_all, STRANGER)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "RateLimit" not in answer.headers


def test_without_the_setting_no_site_is_let_in(closed):
    answer = closed.get(CALL, headers=closed.token | {"Origin": FRIEND})
    assert cors_headers(answer) == set()
    assert "Origin" not in answer.headers.get("Vary", "")
    assert preflight(closed, FRIEND).status_code == 401


@pytest.mark.parametrize("path", ["/sign-in", "/healthz", "/", "/static/css/app.css"])
def test_pages_are_never_shared(open_to_all, path):
    assert cors_headers(open_to_all.get(path, headers={"Origin": FRIEND})) == set()
    assert cors_headers(preflight(open_to_all, FRIEND, path=path)) == set()


def test_a_cookie_of_a_listed_site_changes_nothing(make_config):
    app = create_app(make_config(CORS_ORIGINS=FRIEND))
    add_person(app, "Ada")
    browser = app.test_client()
    sign_in(browser, "Ada")
    answer = browser.get(CALL, headers={"Origin": FRIEND})
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert words(answer.headers["Vary"]) == {"Origin", "Cookie"}
    answer.close()
    assert browser.post("/api/assistants/backup/import", headers={"Origin": FRIEND}).status_code == 403
    close(app)
