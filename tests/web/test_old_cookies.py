"""A session's cookie of before, kept by somebody, after what has to end it: refused on pages and by the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.people import PASSWORD, add_person, session_token, sign_in
from webadmin import accounts, clock
from webadmin.accounts import SYSTEM
from webadmin.accounts.second_factor import code_at
from webadmin.db import transaction
from webadmin.sessions import COOKIE

NEW = "another long walk"


def press(browser: FlaskClient, path: str, **fields: str) -> None:
    answer = browser.post(path, data=fields, headers={"X-CSRFToken": session_token(browser)})
    assert answer.status_code in (201, 303), answer.text


def by_domain(act: Callable) -> Callable[[FlaskClient, FlaskClient], None]:
    def do(browser: FlaskClient, _other: FlaskClient) -> None:
        with browser.application.app_context(), transaction() as session:
            act(session, SYSTEM, accounts.find_user(session, "Ada").id)

    return do


def change_password(browser: FlaskClient, _other: FlaskClient) -> None:
    press(browser, "/profile/password", current=PASSWORD, password=NEW)


def turn_on_second_factor(browser: FlaskClient, _other: FlaskClient) -> None:
    browser.get("/profile/second-factor")
    with browser.session_transaction() as session:
        secret = session["second_factor_secret"]
    press(browser, "/profile/second-factor", current=PASSWORD, code=code_at(secret, int(clock.now().timestamp()) // 30))


ENDS = {
    "sign-out": lambda browser, _: press(browser, "/sign-out"),
    "signing in again": lambda browser, _: sign_in_anew(browser),
    "sign-out elsewhere": lambda _, other: press(other, "/profile/sessions/end-others"),
    "password change here": change_password,
    "password change elsewhere": lambda _, other: change_password(other, other),
    "second factor elsewhere": lambda _, other: turn_on_second_factor(other, other),
    "second factor here": turn_on_second_factor,
    "password reset": by_domain(accounts.reset_password),
    "sign-out by an administrator": by_domain(accounts.sign_out),
    "deactivation": by_domain(accounts.deactivate),
}


def sign_in_anew(browser: FlaskClient) -> None:
    fields = {"username": "Ada", "password": PASSWORD}
    press(browser, "/sign-in", **fields)


@pytest.mark.parametrize("end", ENDS)
def test_a_cookie_of_before_opens_nothing_after(app: Flask, end: str) -> None:
    add_person(app, "Ada")
    add_person(app, "Ben")
    browser, other, thief = (app.test_client() for _ in range(3))
    for each in (browser, other):
        sign_in(each, "Ada")
    stolen = browser.get_cookie(COOKIE).value
    thief.set_cookie(COOKIE, stolen)
    assert thief.get("/assistants").status_code == 200
    ENDS[end](browser, other)
    thief.set_cookie(COOKIE, stolen)
    assert thief.get("/assistants").status_code == 302
    assert thief.get("/api/assistants").status_code == 401
    if end == "deactivation":
        by_domain(accounts.activate)(browser, other)
        assert thief.get("/assistants").status_code == 302
