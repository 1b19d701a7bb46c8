"""Public reading over real HTTP: what anybody sees, what nobody learns of, and what a token still shows."""

from __future__ import annotations

import sqlite3

import httpx
import pytest

from tests.people import add_person, add_token, close, sign_in
from tests.sites import Site
from webadmin.app import create_app
from webadmin.config import Config

LIST = "/api/assistants"
RECORDS = {
    "ast_open": {"status": "published", "isPublic": True},
    "ast_other": {"status": "published", "isPublic": True},
    "ast_private": {"status": "published", "isPublic": False},
    "ast_pending": {"status": "pending", "isPublic": True},
    "ast_rejected": {"status": "rejected", "isPublic": True},
    "ast_draft": {"status": "draft", "isPublic": False},
}
HIDDEN = [id for id in RECORDS if id not in ("ast_open", "ast_other")]
SHOWN_KEYS = {
    "id", "title", "desc", "emoji", "prompt", "tags", "isPublic", "status", "author", "createdAt", "updatedAt",
    "publishedAt", "version", "category", "usageCount", "rating",
}  # fmt: skip


def record(number, id, **more):
    return {
        "id": id,
        "title": f"Title of {id}",
        "desc": "Helps.",
        "prompt": "Be of help.",
        "author": "Ada",
        "createdAt": f"2026-01-0{number + 1}T00:00:00.000Z",
        "reviewedAt": "2026-02-01T00:00:00.000Z",
        "publishedAt": "2026-02-01T00:00:00.000Z",
        "reviewNote": "Between us: dull.",
        "category": ["work"],
        "usageCount": 7,
        "rating": 4.5,
        "internalNote": "Not for all eyes.",
        **more,
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("public"), {"PUBLIC_READ": "true", "RATE_LIMIT_MAX_REQUESTS": "1000000"})
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(site, server):
    made = create_app(Config.load(site.environment(), env_file=None))
    yield made
    close(made)


@pytest.fixture(scope="module")
def server(site):
    return site.serve()


@pytest.fixture(scope="module")
def token(app):
    return {"Authorization": f"Bearer {add_token(app)}"}


@pytest.fixture(scope="module")
def anybody(server, token):
    """A client without a token, of a site with six assistants."""
    records = [record(number, id, **more) for number, (id, more) in enumerate(RECORDS.items())]
    metadata = {"version": "1.0.0", "timestamp": "2026-03-01T00:00:00.000Z", "recordCount": len(records)}
    with httpx.Client(base_url=server.url, timeout=100) as client:
        document = {"metadata": metadata, "assistants": records}
        done = client.post("/api/assistants/backup/import", json=document, headers=token)
        assert done.status_code == 200, done.text
        yield client


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["data"]["data"]]


def vary(answer):
    return {word.strip() for word in answer.headers["Vary"].split(",")}


def test_anybody_lists_what_is_public_and_published(anybody):
    answer = anybody.get(LIST)
    assert ids(answer) == ["ast_other", "ast_open"]
    assert answer.json()["data"]["total"] == 2


def test_what_anybody_sees_has_no_review_and_no_unknown_keys(anybody):
    answer = anybody.get(f"{LIST}/ast_open")
    assert answer.json()["data"].keys() == SHOWN_KEYS
    assert (answer.json()["data"]["rating"], answer.json()["data"]["category"]) == (4.5, ["work"])
    for each in anybody.get(LIST).json()["data"]["data"]:
        assert each.keys() == SHOWN_KEYS


@pytest.mark.parametrize("id", HIDDEN)
def test_what_is_not_for_anybody_does_not_exist(anybody, id):
    answer, unknown = anybody.get(f"{LIST}/{id}"), anybody.get(f"{LIST}/ast_nowhere")
    assert (answer.status_code, unknown.status_code) == (404, 404)
    mine, other = answer.json()["error"], unknown.json()["error"]
    assert mine["message"].replace(id, "ast_nowhere") == other["message"]
    assert mine.keys() == other.keys()
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("status", ["pending", "rejected", "draft"])
def test_no_filter_by_status_finds_what_is_hidden(anybody, status):
    answer = anybody.get(LIST, params={"status": status})
    assert (ids(answer), answer.json()["data"]["total"]) == ([], 0)
    assert ids(anybody.get(LIST, params={"status": "published"})) == ["ast_other", "ast_open"]


@pytest.mark.parametrize("search", ["ast_private", "ast_pending", "Not for all eyes", "dull"])
def test_no_search_finds_what_is_hidden(anybody, search):
    answer = anybody.get(LIST, params={"search": search})
    assert (ids(answer), answer.json()["data"]["total"]) == ([], 0)
    assert len(ids(anybody.get(LIST, params={"search": "title OF", "author": "Ada"}))) == 2


def test_pages_and_cursors_count_only_what_is_shown(anybody, token):
    first = anybody.get(LIST, params={"pageSize": 1})
    cursor = first.json()["data"]["nextCursor"]
    second = anybody.get(LIST, params={"pageSize": 1, "cursor": cursor})
    assert (ids(first), ids(second)) == (["ast_other"], ["ast_open"])
    assert second.json()["data"]["nextCursor"] is None
    assert ids(anybody.get(LIST, params={"pageSize": 1, "page": 3})) == []
    # A cursor belongs to what its reader sees.
    assert anybody.get(LIST, params={"cursor": cursor}, headers=token).status_code == 400


def test_what_is_no_truth_value_is_not_public(anybody, site):
    with sqlite3.connect(site.data / "assistants.db") as other:
        other.execute("UPDATE assistants SET is_public = 'perhaps' WHERE id = 'ast_private'")
    try:
        assert ids(anybody.get(LIST)) == ["ast_other", "ast_open"]
        assert anybody.get(f"{LIST}/ast_private").status_code == 404
    finally:
        with sqlite3.connect(site.data / "assistants.db") as other:
            other.execute("UPDATE assistants SET is_public = 0 WHERE id = 'ast_private'")
        other.close()


@pytest.mark.parametrize("path", [LIST, f"{LIST}/ast_open"])
def test_an_answer_for_anybody_can_be_kept_and_asked_for_again(anybody, path):
    answer = anybody.get(path)
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert vary(answer) == {"Authorization", "Cookie"}
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["RateLimit"]
    again = anybody.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == answer.headers["ETag"]
    assert again.headers["Cache-Control"] == "public, max-age=60"
    assert vary(again) == {"Authorization", "Cookie"}


@pytest.mark.parametrize("path", [LIST, f"{LIST}/ast_open"])
def test_asking_for_the_head_gives_the_same_headers(anybody, path):
    answer, head = anybody.get(path), anybody.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("ETag", "Cache-Control", "Vary", "Content-Length", "Content-Type"):
        assert head.headers[name] == answer.headers[name]


@pytest.mark.parametrize("path", [LIST, f"{LIST}/ast_open"])
def test_a_token_shows_everything_and_nothing_is_kept(anybody, token, path):
    answer, public = anybody.get(path, headers=token), anybody.get(path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["ETag"] != public.headers["ETag"]
    # What anybody has is not what the owner of a token may see.
    assert anybody.get(path, headers=token | {"If-None-Match": public.headers["ETag"]}).status_code == 200
    data = answer.json()["data"]
    shown = data["data"][-1] if path == LIST else data
    assert shown["reviewNote"] == "Between us: dull."
    assert shown["internalNote"] == "Not for all eyes."
    assert path != LIST or data["total"] == len(RECORDS)


@pytest.mark.parametrize("value", ["Bearer aat_wrong", "Bearer", "bearer", "Bearer aat_wrong, Bearer other"])
@pytest.mark.parametrize("path", [LIST, f"{LIST}/ast_open"])
def test_a_token_that_is_not_valid_is_refused(anybody, path, value):
    answer = anybody.get(path, headers={"Authorization": value})
    assert answer.status_code == 401
    assert answer.headers["Cache-Control"] == "no-store"
    assert "invalid_token" in answer.headers["WWW-Authenticate"]


def test_a_session_shows_everything(app, anybody):
    add_person(app, "Ada")
    browser = app.test_client()
    sign_in(browser, "Ada")
    answer = browser.get(LIST)
    assert answer.json["data"]["total"] == len(RECORDS)
    assert answer.headers["Cache-Control"] == "no-store"
    assert browser.get(f"{LIST}/ast_pending").json["data"]["reviewNote"] == "Between us: dull."
    visitor = app.test_client()
    visitor.set_cookie("aa_session", "of somebody who was signed in once")
    assert visitor.get(LIST).json["data"]["total"] == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", LIST),
        ("PUT", f"{LIST}/ast_open"),
        ("DELETE", f"{LIST}/ast_open"),
        ("PATCH", f"{LIST}/ast_open/status"),
        ("OPTIONS", LIST),
        ("GET", f"{LIST}/backup/export"),
        ("GET", f"{LIST}/backup/list"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/jobs/any"),
        ("GET", "/api/no-such-thing"),
    ],
)
def test_nothing_else_is_open(anybody, method, path):
    answer = anybody.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_parameter_that_cannot_be_used_is_an_error_that_is_not_kept(anybody):
    answer = anybody.get(LIST, params={"pageSize": "many"})
    assert answer.status_code == 400
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_listed_site_reads_without_a_token(make_config):
    app = create_app(make_config(PUBLIC_READ="true", CORS_ORIGINS="https://app.example.org"))
    answer = app.test_client().get(LIST, headers={"Origin": "https://app.example.org"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert vary(answer) == {"Authorization", "Cookie", "Origin"}
    close(app)


def test_without_the_setting_anybody_reads_nothing(make_config):
    app = create_app(make_config())
    for path in (LIST, f"{LIST}/ast_open"):
        assert app.test_client().get(path).status_code == 401
    close(app)
