"""Signing in and out, and the first account, as a browser without scripts sees them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.people import PASSWORD, add_person, csrf_token, sign_in
from webadmin import accounts, backups, runtime
from webadmin.accounts import SYSTEM
from webadmin.db import db


def code_of(app: Flask) -> str:
    with app.app_context():
        code = accounts.setup_code(db.session())
    assert code
    return code


def set_up(client: FlaskClient, **fields: str):
    token = csrf_token(client.get("/setup"))
    return client.post("/setup", data={"csrf_token": token, "username": "Ada", "password": PASSWORD, **fields})


def test_the_setup_code_makes_the_first_account_and_signs_in(app: Flask, client: FlaskClient) -> None:
    assert set_up(client, setup_code=code_of(app)).headers["Location"] == "/"
    assert client.get("/api/no-such-call").status_code == 404
    assert client.get("/setup").status_code == 404
    assert client.post("/setup", headers={"X-CSRFToken": "x"}).status_code in (403, 404)
    assert sign_in(app.test_client(), "Ada").headers["Location"] == "/"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"setup_code": "AAAA-AAAA"}, "not the setup code"),
        ({"setup_code": ""}, "Fill in this field"),
        ({"password": "short"}, "Too easy to guess"),
        ({"username": "a\u202eb"}, "A name may hold"),
    ],
)
def test_a_mistake_in_setup_is_told_and_what_was_typed_stays(
    app: Flask, client: FlaskClient, fields: dict[str, str], words: str
) -> None:
    answer = set_up(client, **{"setup_code": code_of(app)} | fields)
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="Ada"' in answer.text or "username" in fields
    assert PASSWORD not in answer.text
    assert client.get("/sign-in").headers["Location"] == "/setup"


def test_setup_names_the_backups_that_lie_there(app: Flask, client: FlaskClient) -> None:
    assert "in the folder" not in client.get("/setup").text
    with app.app_context():
        names = [backups.create(SYSTEM).name for _ in range(4)]
    said = client.get("/setup").text
    assert "4 backups in the folder, 4 verified" in said
    assert [name in said for name in names] == [False, True, True, True]


def test_locked_file_of_sessions_lets_nobody_in_and_says_what_to_do(app: Flask, client: FlaskClient) -> None:
    add_person(app, "Ada")
    token = csrf_token(client.get("/sign-in"))
    with app.app_context(), closing(sqlite3.connect(runtime.current().path, isolation_level=None)) as other:
        runtime.current().read("PRAGMA busy_timeout=1")
        other.execute("BEGIN IMMEDIATE")
        answer = client.post("/sign-in", data={"csrf_token": token, "username": "Ada", "password": PASSWORD})
    assert answer.status_code == 503
    assert "Another program holds the file for sessions" in answer.text
    assert "fuser" in answer.text
    assert client.get("/").status_code == 302


@pytest.mark.parametrize(
    ("name", "password"),
    [("Ada", "her secret"), ("nobody", PASSWORD), ("", ""), ("A" * 999_999, "her secret"), ("Ada", "p" * 999_999),
     ("A\0da", "nul\0"), ("\u202eAda", "right to left")],
)  # fmt: skip
def test_one_message_for_all_causes(app: Flask, name: str, password: str) -> None:
    add_person(app, "Ada")
    answer = sign_in(app.test_client(), name, password)
    assert answer.status_code == 422
    assert "That user name and password do not match." in answer.text
    assert len(answer.text) < 10_000
    assert not password or password not in answer.text


def test_signing_in_leads_to_where_the_person_was_going(app: Flask) -> None:
    add_person(app, "Ada")
    browser = app.test_client()
    location = browser.get("/settings/people").headers["Location"]
    assert sign_in(browser, "Ada", path=location).headers["Location"] == "/settings/people"
    assert browser.get("/sign-in").headers["Location"] == "/"


def test_the_language_of_the_sign_in_page_follows_the_browser(app: Flask) -> None:
    add_person(app, "Ada")
    answer = app.test_client().get("/sign-in", headers={"Accept-Language": "zh-TW,zh;q=0.9,en;q=0.5"})
    assert '<html lang="zh-CN"' in answer.text
    assert '<html lang="en"' in app.test_client().get("/sign-in", headers={"Accept-Language": "fr"}).text
