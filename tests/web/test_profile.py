"""One's own account: password, appearance, sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from tests.people import PASSWORD, add_person, close, csrf_token, sign_in
from webadmin import clock
from webadmin.app import create_app


def send(browser: FlaskClient, page: str, path: str | None = None, **fields: str):
    return browser.post(path or page, data={"csrf_token": csrf_token(browser.get(page)), **fields})


def is_signed_in(browser: FlaskClient) -> bool:
    return browser.get("/api/no-such-call").status_code == 404


@pytest.fixture
def phone(app: Flask, ada: FlaskClient) -> FlaskClient:
    """Another browser in which Ada is signed in."""
    browser = app.test_client()
    browser.environ_base |= {
        "REMOTE_ADDR": "203.0.113.7",
        "HTTP_USER_AGENT": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Safari/604.1",
    }
    sign_in(browser, "Ada")
    return browser


def test_a_wrong_current_password_changes_nothing(app: Flask, ada: FlaskClient) -> None:
    answer = send(ada, "/profile/password", current="wrong", password="another long walk")
    assert answer.status_code == 422
    assert "That is not your current password." in answer.text
    assert sign_in(app.test_client(), "Ada").headers["Location"] == "/"


def test_whoever_guesses_the_current_password_waits(ada: FlaskClient) -> None:
    for _ in range(6):
        assert send(ada, "/profile/password", current="wrong", password="another long walk").status_code == 422
    answer = send(ada, "/profile/password", current=PASSWORD, password="another long walk")
    assert answer.status_code == 429
    assert "Too many tries. Wait" in answer.text


def test_sessions_are_listed_with_browser_and_address(ada: FlaskClient, phone: FlaskClient) -> None:
    rows = BeautifulSoup(ada.get("/profile").text, "html.parser").select("main tbody tr")
    shown = [" ".join(row.get_text(" ").split()) for row in rows]
    assert sum("This one" in row for row in shown) == 1
    [other] = [row for row in shown if "This one" not in row]
    assert "Safari · iPhone" in other
    assert "203.0.113.7" in other


def test_one_session_can_be_ended_from_another(ada: FlaskClient, phone: FlaskClient) -> None:
    form = BeautifulSoup(ada.get("/profile").text, "html.parser").select_one("form[action='/profile/sessions/end']")
    fields = {each["name"]: each["value"] for each in form.select("input")}
    assert ada.post("/profile/sessions/end", data=fields).status_code == 303
    assert not is_signed_in(phone)
    assert is_signed_in(ada)


def test_a_session_of_somebody_else_cannot_be_ended(app: Flask, ada: FlaskClient, phone: FlaskClient) -> None:
    form = BeautifulSoup(ada.get("/profile").text, "html.parser").select_one("form[action='/profile/sessions/end']")
    add_person(app, "Ben")
    ben = app.test_client()
    sign_in(ben, "Ben")
    send(ben, "/profile", "/profile/sessions/end", session=form.select_one("[name=session]")["value"])
    assert is_signed_in(phone)


def test_all_other_sessions_can_be_ended(ada: FlaskClient, phone: FlaskClient) -> None:
    assert send(phone, "/profile", "/profile/sessions/end-others").status_code == 303
    assert is_signed_in(phone)
    assert not is_signed_in(ada)


def test_what_names_a_session_opens_nothing(app: Flask, ada: FlaskClient, phone: FlaskClient) -> None:
    form = BeautifulSoup(ada.get("/profile").text, "html.parser").select_one("form[action='/profile/sessions/end']")
    thief = app.test_client()
    thief.set_cookie("aa_session", form.select_one("[name=session]")["value"])
    assert not is_signed_in(thief)


def test_language_and_theme_follow_the_person(app: Flask, ada: FlaskClient, phone: FlaskClient) -> None:
    assert send(ada, "/profile", language="zh", theme="dark").status_code == 303
    text = phone.get("/").text
    assert '<html lang="zh-CN" data-theme="dark"' in text
    assert 'data-no-keys="1"' in text
    send(phone, "/profile", "/preferences", language="en", theme="light")
    assert '<html lang="en" data-theme="light"' in ada.get("/").text
    assert send(ada, "/profile", language="xx", theme="dark").status_code == 422
    send(ada, "/profile", language="", theme="", has_single_keys="1")
    assert "data-theme" not in ada.get("/").text.split(">", 2)[1]


def test_limits_of_sessions_are_settings(make_config, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(make_config(SESSION_IDLE_HOURS="1", SESSION_KEPT_DAYS="2", SESSION_MAX_DAYS="3"))
    add_person(app, "Ada")
    plain, kept = app.test_client(), app.test_client()
    sign_in(plain, "Ada")
    sign_in(kept, "Ada", remember="1")
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
    assert not is_signed_in(plain)
    for day in (1, 2):
        monkeypatch.setattr(clock, "now", lambda day=day: now + timedelta(days=day))
        assert is_signed_in(kept)
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=3, seconds=1))
    assert not is_signed_in(kept)
    close(app)
