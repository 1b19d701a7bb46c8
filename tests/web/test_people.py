"""The people page: who may sign in, and what becomes of sessions when that changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.people import PASSWORD, add_person, csrf_token, sign_in
from webadmin.config import PROJECT
from webadmin.db import db

NEW = "another long walk"


def send(browser: FlaskClient, page: str, path: str | None = None, **fields: str) -> TestResponse:
    return browser.post(path or page, data={"csrf_token": csrf_token(browser.get(page)), **fields})


def shown_password(answer: TestResponse) -> str:
    found = re.search(r'<code id="new-password">([^<]+)</code>', answer.text)
    assert found, answer.text
    return found[1]


def is_signed_in(browser: FlaskClient) -> bool:
    return browser.get("/api/no-such-call").status_code == 404


def test_an_added_person_chooses_a_password_before_anything_else(app: Flask, ada: FlaskClient) -> None:
    added = send(ada, "/settings/people", name="Rita")
    assert added.status_code == 201
    password = shown_password(added)
    assert password not in ada.get("/settings/people").text
    assert "Has not chosen a password yet" in ada.get("/settings/people").text

    rita = app.test_client()
    sign_in(rita, "rita", password)
    for path in ("/", "/assistants", "/settings/people", "/profile"):
        assert rita.get(path).headers["Location"] == "/profile/password"
    assert rita.get("/", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/profile/password"
    refused = rita.get("/api/assistants")
    assert refused.status_code == 403
    assert "not complete" in refused.json["error"]["message"]
    assert send(rita, "/profile/password", current=password, password=NEW).status_code == 303
    assert rita.get("/assistants").status_code == 200
    assert sign_in(app.test_client(), "Rita", password).status_code == 422
    assert sign_in(app.test_client(), "Rita", NEW).status_code == 303


def test_the_page_shows_what_each_role_may_do_in_the_words_of_the_document(ada: FlaskClient) -> None:
    def rows(lines: list[list[str]]) -> list[list[str]]:
        return [[" ".join(cell.split()).lower() for cell in line] for line in lines]

    table = BeautifulSoup(ada.get("/settings/people").text, "html.parser").select("#roles tbody tr")
    shown = rows([[cell.get_text(" ") for cell in row.select("th, td")] for row in table])
    document = (PROJECT / "docs" / "people.md").read_text(encoding="utf-8")
    said = rows([line.strip("|").split("|")[1:] for line in document.splitlines() if line.startswith("| `")])
    assert len(shown) == 8
    assert shown == said


def test_a_refused_name_is_told_and_stays(ada: FlaskClient) -> None:
    answer = send(ada, "/settings/people", name="ADA")
    assert answer.status_code == 422
    assert "has an account already" in answer.text
    assert 'value="ADA"' in answer.text
    assert send(ada, "/settings/people/1", name="").status_code == 422
    assert ada.get("/settings/people/99").status_code == 404
    assert ada.get("/settings/people/99/deactivate").status_code == 404


def test_a_hostile_name_is_escaped(ada: FlaskClient) -> None:
    send(ada, "/settings/people", name="<script>alert(1)</script>")
    for path in ("/settings/people", "/settings/people/2", "/settings/people/2/deactivate"):
        text = ada.get(path).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_a_renamed_person_stays_signed_in_under_the_new_name(app: Flask, ada: FlaskClient) -> None:
    assert send(ada, "/settings/people/1", name="Ada Lovelace").headers["Location"] == "/settings/people/1"
    assert "Ada Lovelace" in ada.get("/").text
    assert sign_in(app.test_client(), "ada lovelace").status_code == 303
    assert send(ada, "/profile/password", current=PASSWORD, password=NEW).status_code == 303


@pytest.fixture
def ben(app: Flask) -> FlaskClient:
    add_person(app, "Ben")
    browser = app.test_client()
    sign_in(browser, "Ben")
    assert is_signed_in(browser)
    return browser


def test_a_deactivated_person_is_out_at_once_and_can_be_let_in_again(ada: FlaskClient, ben: FlaskClient) -> None:
    assert "Deactivate “Ben”?" in ada.get("/settings/people/2/deactivate").text
    assert send(ada, "/settings/people/2", "/settings/people/2/deactivate").headers["Location"] == "/settings/people"
    assert not is_signed_in(ben)
    other = ben.application.test_client()
    assert sign_in(other, "Ben").status_code == 422
    assert send(ada, "/settings/people/2", "/settings/people/2/activate").status_code == 303
    assert not is_signed_in(ben)
    assert sign_in(other, "Ben").status_code == 303


def test_the_last_administrator_cannot_be_deactivated(ada: FlaskClient) -> None:
    answer = send(ada, "/settings/people/1", "/settings/people/1/deactivate")
    assert answer.status_code == 409
    assert "is the last administrator." in answer.text
    assert is_signed_in(ada)


def test_a_reset_ends_the_sessions(app: Flask, ada: FlaskClient, ben: FlaskClient) -> None:
    password = shown_password(send(ada, "/settings/people/2", "/settings/people/2/reset-password"))
    assert not is_signed_in(ben)
    assert sign_in(app.test_client(), "Ben").status_code == 422
    assert sign_in(app.test_client(), "Ben", password).status_code == 303


def test_somebody_can_be_signed_out_everywhere(ada: FlaskClient, ben: FlaskClient) -> None:
    assert "1 device" in ada.get("/settings/people/2").text
    assert send(ada, "/settings/people/2", "/settings/people/2/sign-out").status_code == 303
    assert not is_signed_in(ben)
    assert is_signed_in(ada)


def test_a_former_administrator_is_none_for_a_broken_database_either(
    ada: FlaskClient, ben: FlaskClient, folder: Path
) -> None:
    assert ben.get("/health/recovery/copies").status_code == 200
    assert send(ada, "/settings/people/2", name="Ben", role="viewer").status_code == 303
    assert is_signed_in(ada)
    with ada.application.app_context():
        db.engine.dispose()
    for file in folder.glob("assistants.db*"):
        file.unlink()
    (folder / "assistants.db").write_bytes(b"not a database at all" * 500)
    assert ada.get("/health/recovery/copies").status_code == 200
    assert ben.get("/health/recovery/copies").status_code == 503
