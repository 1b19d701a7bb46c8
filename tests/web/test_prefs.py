"""Theme and language: two cookies, set signed out too."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.people import add_person, csrf_token


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    add_person(app, "Ada")
    return app.test_client()


def choose(browser: FlaskClient, **fields: str):
    token = csrf_token(browser.get("/sign-in"))
    return browser.post("/preferences", data={"csrf_token": token, "next": "/sign-in?next=/trash", **fields})


def test_the_chosen_language_wins_over_the_browsers(browser: FlaskClient) -> None:
    answer = choose(browser, language="zh")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=/trash")
    assert '<html lang="zh-CN"' in browser.get("/sign-in", headers={"Accept-Language": "en"}).text


def test_the_chosen_theme_is_written_by_the_server(browser: FlaskClient) -> None:
    choose(browser, theme="dark")
    assert 'data-theme="dark"' in browser.get("/sign-in").text
    choose(browser, theme="system")
    assert "data-theme" not in browser.get("/sign-in").text


def test_unknown_values_are_left_out(browser: FlaskClient) -> None:
    choose(browser, theme='"><script>', language="xx")
    assert browser.get_cookie("theme") is None
    assert browser.get_cookie("language") is None


def test_next_leads_nowhere_else(browser: FlaskClient) -> None:
    assert choose(browser, theme="dark", next="//evil.example")
    answer = browser.post(
        "/preferences", data={"csrf_token": csrf_token(browser.get("/sign-in")), "next": "//evil.example"}
    )
    assert answer.headers["Location"] == "/"
