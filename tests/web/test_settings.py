"""Settings: tokens shown once."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from tests.people import csrf_token


def send(browser: FlaskClient, page: str, path: str | None = None, **fields):
    return browser.post(path or page, data={"csrf_token": csrf_token(browser.get(page)), **fields})


def shown(answer) -> str:
    found = re.search(r'<code id="token-text">([^<]+)</code>', answer.text)
    assert found, answer.text
    return found[1]


def test_a_new_token_is_shown_once_and_works(app: Flask, ada: FlaskClient) -> None:
    made = send(ada, "/settings/tokens", name="nightly", purposes="read", expires_days="30")
    assert made.status_code == 201
    text = shown(made)
    listed = ada.get("/settings/tokens").text
    assert "nightly" in listed
    assert text not in listed
    headers = {"Authorization": f"Bearer {text}"}
    assert app.test_client().get("/api/no-such-call", headers=headers).status_code == 404
    assert send(ada, "/settings/tokens/1/revoke").headers["Location"] == "/settings/tokens"
    assert app.test_client().get("/api/no-such-call", headers=headers).status_code == 401
    assert "Revoked the token “nightly”." in ada.get("/settings/tokens").text


def test_a_refused_token_keeps_what_was_typed(ada: FlaskClient) -> None:
    good = {"name": "nightly", "role": "editor", "purposes": ["write", "backup"], "expires_days": "365"}
    for wrong, words in (
        ({"expires_days": "0"}, "The number of days must be"),
        ({"expires_days": ""}, "The number of days must be"),
        ({"expires_days": "9" * 5000}, "The number of days must be"),
        ({"purposes": []}, "Choose at least one purpose."),
        ({"purposes": ["all"]}, "There is no purpose “all”"),
        ({"role": "owner"}, "There is no role “owner”"),
    ):
        answer = send(ada, "/settings/tokens", **good | wrong)
        assert answer.status_code == 422
        assert words in answer.text
        page = BeautifulSoup(answer.text, "html.parser")
        assert page.select_one("#name")["value"] == "nightly"
        if "purposes" not in wrong:
            assert [box["value"] for box in page.select("[name=purposes][checked]")] == ["write", "backup"]
    assert "No tokens yet" in ada.get("/settings/tokens").text
    assert send(ada, "/settings/tokens", **good).status_code == 201
    assert "A valid token is named" in send(ada, "/settings/tokens", **good).text
    assert ada.get("/settings/tokens/99/revoke").status_code == 404


def test_the_form_proposes_reading_for_ninety_days(ada: FlaskClient) -> None:
    page = BeautifulSoup(ada.get("/settings/tokens").text, "html.parser")
    chosen = [each["value"] for each in page.select("form [checked], form [selected]") if each.get("name") != "theme"]
    assert {"viewer", "read", "90"} <= set(chosen)
    assert not {"write", "backup", "never"} & set(chosen)


def test_a_token_gets_another_text_and_the_earlier_one_goes_on(app: Flask, ada: FlaskClient) -> None:
    old = shown(send(ada, "/settings/tokens", name="nightly", purposes="read", expires_days="7"))
    asked = BeautifulSoup(ada.get("/settings/tokens/1/rotate").text, "html.parser")
    assert [each["value"] for each in asked.select("main [selected]")] == ["7", "24"]
    refused = send(ada, "/settings/tokens/1/rotate", expires_days="7", keep_hours="x")
    assert refused.status_code == 422
    assert "The number of hours must be" in refused.text
    rotated = send(ada, "/settings/tokens/1/rotate", expires_days="7", keep_hours="24")
    assert f"The earlier text {old[:8]}… is valid until" in rotated.text
    new = shown(rotated)

    def answers() -> list[int]:
        client = app.test_client()
        return [
            client.get("/api/no-such-call", headers={"Authorization": f"Bearer {text}"}).status_code
            for text in (old, new)
        ]

    listed = ada.get("/settings/tokens").text
    assert "Earlier text" in listed
    assert "not used since" in listed
    assert answers() == [404, 404]
    assert "not used since" not in ada.get("/settings/tokens").text
    assert send(ada, "/settings/tokens/1/end-old").status_code == 303
    assert answers() == [401, 404]
    assert "Earlier text" not in ada.get("/settings/tokens").text
