"""Errors in words: JSON for the API, a toast for a fragment, a page else; nothing typed is lost."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.people import PASSWORD, add_person, add_token, close, csrf_token, session_token, sign_in
from webadmin import access, config
from webadmin.accounts import Permission
from webadmin.app import create_app
from webadmin.backups.folder import hold
from webadmin.db import DatabaseLocked, db
from webadmin.errors import Invalid, Message, NotFound, Problem, StaleVersion

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
OUR_PAGE = {"Sec-Fetch-Site": "same-origin"}
RAISED = {
    "missing": NotFound("There is no assistant %(id)s.", id="a"),
    "bad": Invalid("Bad", problems=[Problem(Message("Too long"), field="title")]),
    "stale": StaleVersion(current=9, requested=8),
    "locked": DatabaseLocked(),
    "bug": RuntimeError("an internal detail"),
}


@pytest.fixture
def failing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The application with routes that fail in each way, under pages and under the API."""
    for name, error in RAISED.items():

        def fail(error: Exception = error):
            raise error

        app.add_url_rule(f"/fail/{name}", f"fail_{name}", fail, methods=["GET", "POST"])
        app.add_url_rule(f"/api/fail/{name}", f"api_fail_{name}", fail)
        for endpoint in (f"fail_{name}", f"api_fail_{name}"):
            monkeypatch.setitem(access.NEEDED, endpoint, Permission.READ)
    add_person(app, "Ada")
    return app


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("missing", 404, "NOT_FOUND"), ("bad", 400, "VALIDATION_ERROR"), ("stale", 409, "VERSION_CONFLICT"),
        ("locked", 503, "SERVICE_UNAVAILABLE"), ("bug", 500, "INTERNAL_ERROR"),
    ],
)  # fmt: skip
def test_the_api_answers_with_the_one_body(failing: Flask, name: str, status: int, code: str) -> None:
    answer = failing.test_client().get(f"/api/fail/{name}", headers={"Authorization": f"Bearer {add_token(failing)}"})
    assert answer.status_code == status
    error = answer.json["error"]
    assert (answer.json["success"], error["code"]) == (False, code)
    assert error["traceId"] == answer.headers["X-Request-Id"]
    assert "internal detail" not in answer.text


@pytest.mark.parametrize(
    ("what", "says"), [("import", "import, started by Bob at"), ("backup", "Another program holds")]
)
def test_whoever_waits_for_an_import_of_ours_is_told_so(failing: Flask, what: str, says: str) -> None:
    headers = {"Authorization": f"Bearer {add_token(failing)}"}
    with failing.app_context():
        folder = config.current().database_backup_dir
    with failing.app_context(), hold(folder, who="Bob", what=what):
        assert says in failing.test_client().get("/api/fail/locked", headers=headers).json["error"]["message"]


def test_details_and_the_time_to_wait_are_told(failing: Flask) -> None:
    headers = {"Authorization": f"Bearer {add_token(failing)}"}
    client = failing.test_client()
    assert client.get("/api/fail/stale", headers=headers).json["error"]["details"] == {
        "currentVersion": 9, "requestedVersion": 8,
    }  # fmt: skip
    assert client.get("/api/fail/bad", headers=headers).json["error"]["details"][0]["field"] == "title"
    assert client.get("/api/fail/locked", headers=headers).headers["Retry-After"] == "5"


def test_a_wrong_method_names_the_right_ones(failing: Flask) -> None:
    answer = failing.test_client().delete("/api/fail/bad", headers={"Authorization": f"Bearer {add_token(failing)}"})
    assert (answer.status_code, answer.json["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("name", "status"), [("missing", 404), ("bad", 422), ("stale", 409), ("locked", 503), ("bug", 500)]
)
def test_a_fragment_gets_a_toast_and_the_page_stays(failing: Flask, name: str, status: int) -> None:
    answer = signed_in(failing).get(f"/fail/{name}", headers=PARTIAL)
    assert answer.status_code == status
    assert 'hx-swap-oob="beforeend"' in answer.text
    assert "<html" not in answer.text
    assert answer.headers["X-Request-Id"] in answer.text


@pytest.mark.parametrize(("name", "status"), [("locked", 503), ("bug", 500)])
def test_a_page_of_ours_that_breaks_says_so_with_its_trace(failing: Flask, name: str, status: int) -> None:
    answer = signed_in(failing).get(f"/fail/{name}")
    assert answer.status_code == status
    assert answer.headers["X-Request-Id"] in answer.text
    assert "internal detail" not in answer.text
    assert 'class="bare"' in answer.text


def test_the_page_of_a_broken_database_needs_no_database(failing: Flask, folder) -> None:
    browser = signed_in(failing)
    with failing.app_context():
        db.engine.dispose()
    for file in folder.glob("assistants.db*"):
        file.unlink()
    (folder / "assistants.db").write_bytes(b"not a database at all" * 500)
    answer = browser.get("/settings/tokens")
    assert answer.status_code == 503
    assert "The database file is damaged" in answer.text


def test_a_form_without_its_token_is_shown_again_with_a_button_that_sends_it(failing: Flask) -> None:
    browser = signed_in(failing)
    text = "two lines\nof <b>text</b> that must not be lost, whatever happens to the session"
    answer = browser.post(
        "/fail/bad?a=1", data={"prompt": text, "tag": "x", "new_password": "secret words"}, headers=OUR_PAGE
    )
    assert answer.status_code == 403
    assert 'action="/fail/bad?a=1"' in answer.text
    assert "of &lt;b&gt;text&lt;/b&gt; that must not be lost" in answer.text
    assert "secret words" not in answer.text
    assert browser.post("/fail/bad", data={"csrf_token": csrf_token(answer)}).status_code == 422


def test_another_sites_form_is_not_put_before_the_person(failing: Flask) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        answer = signed_in(failing).post("/fail/bad", data={"prompt": "planted words"}, headers=headers)
        assert answer.status_code == 403
        assert "planted words" not in answer.text


def test_a_form_sent_after_the_session_ended_survives_signing_in(failing: Flask) -> None:
    browser = failing.test_client()
    text = "a long text, typed while the session ended; it is kept"
    answer = browser.post("/fail/bad", data={"prompt": text, "csrf_token": "old"}, headers=OUR_PAGE)
    assert answer.status_code == 401
    hidden = {name: unescape(value) for name, value in re.findall(r'name="(resend_\w+)" value="([^"]*)"', answer.text)}
    assert hidden["resend_to"] == "/fail/bad"
    again = browser.post(
        "/sign-in", data={"csrf_token": csrf_token(answer), "username": "Ada", "password": PASSWORD, **hidden}
    )
    assert again.status_code == 200
    assert text in again.text
    assert browser.post("/fail/bad", data={"csrf_token": csrf_token(again)}).status_code == 422


@pytest.mark.parametrize("carried", ["not json", "[1]", "{}", '[["a"]]', "[" * 100_000])
def test_malformed_carried_fields_are_left_out(failing: Flask, carried: str) -> None:
    browser = failing.test_client()
    token = csrf_token(browser.get("/sign-in"))
    fields = {"csrf_token": token, "username": "Ada", "password": PASSWORD, "resend_to": "/x", "resend_fields": carried}
    assert browser.post("/sign-in", data=fields).headers["Location"] == "/"


def test_a_body_over_the_limit_is_413_in_words(make_config) -> None:
    app = create_app(make_config(MAX_UPLOAD_SIZE="1000"))
    add_person(app, "Ada")
    answer = app.test_client().post("/sign-in", data={"username": "x" * 2000})
    assert answer.status_code == 413
    assert "1000" in answer.text
    close(app)


def signed_in(app: Flask) -> FlaskClient:
    browser = app.test_client()
    sign_in(browser, "Ada")
    session_token(browser)
    return browser


def unescape(text: str) -> str:
    return html.unescape(text)


@pytest.mark.parametrize(
    "path", ["/trash/put-back/99999999999999999999999", "/settings/tokens/99999999999999999999999/revoke"]
)
def test_number_that_no_database_holds_is_not_found(ada, path):
    assert ada.post(path, data={"csrf_token": session_token(ada)}).status_code in {404, 405}
