"""Settings: tokens shown once, people, one's own password."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient

from tests.people import PASSWORD, csrf_token, sign_in


def send(browser: FlaskClient, page: str, path: str | None = None, **fields: str):
    return browser.post(path or page, data={"csrf_token": csrf_token(browser.get(page)), **fields})


def test_a_new_token_is_shown_once_and_works(app: Flask, ada: FlaskClient) -> None:
    made = send(ada, "/settings/tokens", name="nightly", expires_days="30")
    assert made.status_code == 201
    text = re.search(r'<code id="token-text">([^<]+)</code>', made.text)
    assert text
    listed = ada.get("/settings/tokens").text
    assert "nightly" in listed
    assert text[1] not in listed
    headers = {"Authorization": f"Bearer {text[1]}"}
    assert app.test_client().get("/api/no-such-call", headers=headers).status_code == 404
    assert send(ada, "/settings/tokens/1/revoke").headers["Location"] == "/settings/tokens"
    assert app.test_client().get("/api/no-such-call", headers=headers).status_code == 401
    assert "Revoked the token “nightly”." in ada.get("/settings/tokens").text


def test_a_refused_token_keeps_what_was_typed(ada: FlaskClient) -> None:
    answer = send(ada, "/settings/tokens", name="nightly", expires_days="0")
    assert answer.status_code == 422
    assert "The number of days must be" in answer.text
    assert 'value="nightly"' in answer.text
    send(ada, "/settings/tokens", name="nightly")
    assert "A valid token is named" in send(ada, "/settings/tokens", name="nightly").text
    assert ada.get("/settings/tokens/99/revoke").status_code == 404


def test_an_added_person_can_sign_in(app: Flask, ada: FlaskClient) -> None:
    assert send(ada, "/settings/people", name="Rita", password=PASSWORD).status_code == 303
    assert "Rita can sign in now." in ada.get("/settings/people").text
    assert sign_in(app.test_client(), "rita").headers["Location"] == "/"


def test_a_hostile_name_is_escaped(ada: FlaskClient) -> None:
    send(ada, "/settings/people", name="<script>alert(1)</script>", password=PASSWORD)
    text = ada.get("/settings/people").text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_wrong_current_password_changes_nothing(app: Flask, ada: FlaskClient) -> None:
    answer = send(ada, "/settings/password", current="wrong", password="another long walk")
    assert answer.status_code == 422
    assert "That is not your current password." in answer.text
    assert sign_in(app.test_client(), "Ada").headers["Location"] == "/"
