"""Signing in with a second factor, as a browser without scripts sees it, and over htmx."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.people import PASSWORD, add_person, close, csrf_token, sign_in
from tests.web.conftest import PARTIAL
from webadmin import clock
from webadmin.accounts import second_factor
from webadmin.app import create_app
from webadmin.sessions import COOKIE


def send(browser: FlaskClient, page: str, path: str | None = None, **fields: str) -> TestResponse:
    return browser.post(path or page, data={"csrf_token": csrf_token(browser.get(page)), **fields})


def is_signed_in(browser: FlaskClient) -> bool:
    return browser.get("/api/no-such-call").status_code == 404


def code_now(secret: str, *, ahead: int = 0) -> str:
    return second_factor.code_at(secret, int(clock.now().timestamp()) // 30 + ahead)


class Factor:
    """Ada's app and her recovery codes; each code it gives is later than the one before."""

    def __init__(self, browser: FlaskClient) -> None:
        page = browser.get("/profile/second-factor").text
        self.secret = re.search(r'<code id="key">([A-Z2-7]+)</code>', page)[1]
        assert "<svg" in page
        answer = send(browser, "/profile/second-factor", current=PASSWORD, code=code_now(self.secret, ahead=-1))
        assert answer.status_code == 201, answer.text
        self.recovery = re.search(r'<pre id="recovery-codes">([^<]+)</pre>', answer.text)[1].split()
        self.used = -1

    def code(self) -> str:
        self.used += 1
        return code_now(self.secret, ahead=self.used)


@pytest.fixture
def factor(ada: FlaskClient) -> Factor:
    return Factor(ada)


def second_step(browser: FlaskClient, first: TestResponse, code: str, **headers: str) -> TestResponse:
    assert first.status_code == 200, first.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', first.text))
    return browser.post("/sign-in/code", data=fields | {"code": code}, headers=headers)


def test_password_and_code_lead_to_where_the_person_was_going(app: Flask, factor: Factor) -> None:
    browser = app.test_client()
    path = browser.get("/backups").headers["Location"]
    first = sign_in(browser, "Ada", path=path)
    assert 'autocomplete="one-time-code"' in first.text
    assert not is_signed_in(browser)
    assert browser.get("/").headers["Location"].startswith("/sign-in")
    assert second_step(browser, first, factor.code()).headers["Location"] == "/backups"
    assert is_signed_in(browser)


def test_a_wrong_code_lets_nobody_in_and_a_used_one_neither(app: Flask, factor: Factor) -> None:
    browser, other = app.test_client(), app.test_client()
    first = sign_in(browser, "Ada")
    wrong = second_step(browser, first, "000000")
    assert wrong.status_code == 422
    assert "That code is not right, or was used already." in wrong.text
    assert second_step(browser, first, "").status_code == 422
    code = factor.code()
    assert second_step(browser, first, code).status_code == 303
    assert second_step(other, sign_in(other, "Ada"), code).status_code == 422
    assert not is_signed_in(other)


def test_the_seventh_code_waits(app: Flask, factor: Factor) -> None:
    browser = app.test_client()
    first = sign_in(browser, "Ada")
    answers = [second_step(browser, first, "000000") for _ in range(7)]
    assert [each.status_code for each in answers] == [422] * 6 + [429]
    assert "Too many tries. Wait" in answers[-1].text
    assert answers[-1].headers["Retry-After"]


def test_a_recovery_code_lets_in_once(app: Flask, ada: FlaskClient, factor: Factor) -> None:
    for expected in (303, 422):
        browser = app.test_client()
        assert second_step(browser, sign_in(browser, "Ada"), factor.recovery[0]).status_code == expected
    assert "9 recovery codes are left" in ada.get("/profile/second-factor").text


def test_the_code_page_is_worth_nothing_without_the_password(app: Flask, factor: Factor) -> None:
    browser = app.test_client()
    token = csrf_token(browser.get("/sign-in"))
    answer = browser.post("/sign-in/code", data={"csrf_token": token, "code": factor.code()})
    assert answer.headers["Location"].startswith("/sign-in")
    assert not is_signed_in(browser)
    assert browser.get("/sign-in/code").status_code == 303


def test_the_second_step_ends_when_the_password_changed_meanwhile(app: Flask, ada: FlaskClient, factor: Factor) -> None:
    browser = app.test_client()
    first = sign_in(browser, "Ada")
    send(ada, "/profile/password", current=PASSWORD, password="another long walk")
    assert second_step(browser, first, factor.code()).headers["Location"].startswith("/sign-in")
    assert not is_signed_in(browser)


def test_each_step_has_a_session_id_of_its_own(app: Flask, factor: Factor) -> None:
    browser = app.test_client()
    browser.get("/sign-in")
    ids = [browser.get_cookie(COOKIE).value]
    first = sign_in(browser, "Ada")
    ids.append(browser.get_cookie(COOKIE).value)
    second_step(browser, first, factor.code())
    ids.append(browser.get_cookie(COOKIE).value)
    assert len(set(ids)) == 3


def test_in_the_dialog_over_a_page(app: Flask, factor: Factor) -> None:
    browser = app.test_client()
    token = csrf_token(browser.get("/sign-in"))
    fields = {"csrf_token": token, "username": "Ada", "password": PASSWORD}
    first = browser.post("/sign-in", data=fields, headers=PARTIAL)
    assert "<html" not in first.text
    done = second_step(browser, first, factor.code(), **PARTIAL)
    assert done.status_code == 204
    assert "signed-in" in done.headers["HX-Trigger"]


def test_what_was_typed_when_the_session_ended_survives_both_steps(app: Flask, factor: Factor) -> None:
    browser = app.test_client()
    headers = {"Sec-Fetch-Site": "same-origin"}
    page = browser.post("/assistants/new", data={"title": "Typed & kept"}, headers=headers)
    assert page.status_code == 401
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    fields = {name: text.replace("&#34;", '"').replace("&amp;", "&") for name, text in fields.items()}
    first = browser.post("/sign-in", data=fields | {"username": "Ada", "password": PASSWORD})
    carried = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', first.text))
    carried = {name: text.replace("&#34;", '"').replace("&amp;", "&") for name, text in carried.items()}
    done = browser.post("/sign-in/code", data=carried | {"code": factor.code()})
    assert "Typed &amp; kept" in done.text


def test_switching_on_ends_the_other_sessions_and_off_takes_the_password(app: Flask, ada: FlaskClient) -> None:
    other = app.test_client()
    sign_in(other, "Ada")
    Factor(ada)
    assert is_signed_in(ada)
    assert not is_signed_in(other)
    assert send(ada, "/profile/second-factor", "/profile/second-factor/off", current="wrong").status_code == 422
    assert send(ada, "/profile/second-factor", "/profile/second-factor/off", current=PASSWORD).status_code == 303
    assert sign_in(app.test_client(), "Ada").status_code == 303


def test_new_recovery_codes_are_shown_once(ada: FlaskClient, factor: Factor) -> None:
    answer = send(ada, "/profile/second-factor", "/profile/second-factor/codes", current=PASSWORD)
    assert answer.status_code == 201
    assert factor.recovery[0] not in answer.text


def test_an_administrator_resets_that_of_somebody_else(app: Flask, factor: Factor) -> None:
    add_person(app, "Ben")
    ben = app.test_client()
    sign_in(ben, "Ben")
    assert "Reset the second factor of “Ada”?" in ben.get("/settings/people/1/reset-second-factor").text
    assert send(ben, "/settings/people/1", "/settings/people/1/reset-second-factor").status_code == 303
    assert sign_in(app.test_client(), "Ada").status_code == 303


def test_a_role_that_needs_it_is_led_there_first(make_config) -> None:
    app = create_app(make_config(SECOND_FACTOR_REQUIRED="admin"))
    add_person(app, "Ada")
    browser = app.test_client()
    sign_in(browser, "Ada")
    for path in ("/", "/settings/people", "/profile"):
        assert browser.get(path).headers["Location"] == "/profile/second-factor"
    assert browser.get("/api/assistants").status_code == 403
    assert "Your role needs a second factor" in browser.get("/profile/second-factor").text
    Factor(browser)
    assert browser.get("/").status_code == 200
    refused = send(browser, "/profile/second-factor", "/profile/second-factor/off", current=PASSWORD)
    assert refused.status_code == 422
    assert "Your role needs a second factor." in refused.text
    close(app)
