"""Names, passwords, codes and tokens that no person has: refused in words, nothing changed, and not in the log."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.people import add_person, add_token, csrf_token, session_token, sign_in
from webadmin import accounts
from webadmin.db import db

MARK = "unmistakable"
HOSTILE = {
    "1 MB": MARK * (1_000_000 // len(MARK)),
    "NUL": f"{MARK}\0{MARK}",
    "surrogate": f"{MARK}\ud800{MARK}",
    "right to left": f"{MARK}\u202e{MARK}\u2067",
    "invisible": f"{MARK}\u200b\ufeff{MARK}",
    "lines": f"{MARK}\r\n{MARK}",
}
# Any characters make a password: of these only what is too long, or no text, is refused.
PASSWORDS = {name: HOSTILE[name] for name in ("1 MB", "surrogate")}
GOOD = {
    "/settings/people": {"name": "Eve", "role": "viewer"},
    "/settings/people/1": {"name": "Ada", "role": "admin"},
    "/settings/tokens": {"name": "eve", "role": "viewer", "purposes": "read", "expires_days": "9"},
    "/settings/tokens/1/rotate": {"expires_days": "9", "keep_hours": "1"},
    "/profile/password": {"current": "wrong", "password": "another long walk"},
    "/profile/second-factor": {"current": "wrong", "code": "000000"},
}


def stored(app: Flask) -> list[tuple]:
    with app.app_context():
        return [
            *db.session().connection().exec_driver_sql("SELECT * FROM aa_user").all(),
            *db.session().connection().exec_driver_sql("SELECT * FROM aa_token").all(),
        ]


def post(browser: FlaskClient, path: str, fields: dict[str, str]):
    body = urlencode(fields, errors="surrogatepass")
    return browser.post(path, data=body, content_type="application/x-www-form-urlencoded")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "assistant-admin.log"


def test_every_field_of_people_and_tokens_refuses_what_is_none(app: Flask, ada: FlaskClient, log: Path) -> None:
    add_token(app)
    before = stored(app)
    token = session_token(ada)
    for path, good in GOOD.items():
        for field in good:
            for name, text in (PASSWORDS if field == "password" else HOSTILE).items():
                answer = post(ada, path, good | {field: text, "csrf_token": token})
                assert answer.status_code in (422, 429), (path, field, name)
                assert stored(app) == before, (path, field, name)
        for name, text in HOSTILE.items():
            assert post(ada, path, good | {"csrf_token": text}).status_code in (403, 422), (path, name)
    assert MARK not in log.read_text(encoding="utf-8")


def test_signing_in_and_setting_up_refuse_it_too(app: Flask, log: Path) -> None:
    visitor = app.test_client()
    token = csrf_token(visitor.get("/setup"))
    with app.app_context():
        good = {"setup_code": accounts.setup_code(db.session()), "username": "Ada", "password": "a long walk home"}
    for field in good:
        for name, text in (PASSWORDS if field == "password" else HOSTILE).items():
            answer = post(visitor, "/setup", good | {field: text, "csrf_token": token})
            assert answer.status_code == 422, (field, name)
            assert stored(app) == []
            visitor.environ_base["REMOTE_ADDR"] = f"192.0.2.{field}.{name}"
    add_person(app, "Ada")
    for field in ("username", "password"):
        for name, text in HOSTILE.items():
            fields = {"username": "Ada", "password": "wrong", "csrf_token": csrf_token(visitor.get("/sign-in"))}
            assert post(visitor, "/sign-in", fields | {field: text}).status_code == 422, (field, name)
            visitor.environ_base["REMOTE_ADDR"] = f"192.0.2.{field}.{name}"
    assert MARK not in log.read_text(encoding="utf-8")


def test_headers_and_cookies_of_anything_are_nobody(app: Flask, ada: FlaskClient, log: Path) -> None:
    for name, text in HOSTILE.items():
        value = text.encode("utf-8", "surrogatepass").decode("latin-1").replace("\r\n", " ")
        for scheme in ("Bearer ", "bearer  ", "Bearer\t", "Basic "):
            answer = app.test_client().get("/api/assistants", headers={"Authorization": scheme + value})
            assert answer.status_code == 401, (name, scheme)
            assert MARK not in answer.text
        refused = ada.post("/preferences", headers={"X-CSRFToken": value}, data={"theme": "dark"})
        assert refused.status_code == 403, name
        visitor = app.test_client()
        for cookie in ("aa_session", "aa_device"):
            visitor.set_cookie(cookie, value.replace("\0", "%00")[:3000])
        assert visitor.get("/assistants").status_code == 302, name
        assert sign_in(visitor, "Ada").status_code == 303, name
    assert MARK not in log.read_text(encoding="utf-8")


def test_the_command_line_refuses_it_in_one_line(app: Flask) -> None:
    add_person(app, "Ada")
    add_token(app)
    before = stored(app)
    runner = app.test_cli_runner()

    def run(command: list[str], given: bytes | str = "a long walk home\n"):
        with app.app_context():
            done = runner.invoke(args=command, input=given)
        assert done.exit_code in (1, 2), (command, done.output[:500])
        assert isinstance(done.exception, SystemExit), (command, done.exception)

    for text in (*HOSTILE.values(), f"{MARK}\udcff"):
        for command in (
            ["user", "add", text, "--role", "viewer", "--password-stdin"],
            ["user", "add", "Eve", "--role", text, "--password-stdin"],
            ["user", "change", text, "--role", "admin"],
            ["user", "change", "Ada", "--name", text],
            ["user", "deactivate", text],
            ["user", "reset-password", text],
            ["token", "add", text, "--role", "viewer"],
            ["token", "add", "eve", "--role", "viewer", "--purpose", text],
            ["token", "rotate", text],
            ["token", "end-old", text],
            ["token", "revoke", text],
        ):
            run(command)
    for text in (b"\xff\xfe a long walk home\n", b"x" * 1_000_000 + b"\n", b"\n", b""):
        run(["user", "add", "Eve", "--role", "viewer", "--password-stdin"], text)
    assert stored(app) == before
