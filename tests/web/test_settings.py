"""Settings: tokens shown once."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient

from tests.people import csrf_token


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
