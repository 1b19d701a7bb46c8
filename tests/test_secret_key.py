"""A change of the secret key: what was signed with one of before is believed as long as that is listed."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.people import PASSWORD, add_person, close, csrf_token, sign_in
from webadmin.app import create_app

FIRST, SECOND, THIRD = "first-" + "k" * 32, "second-" + "k" * 32, "third-" + "k" * 32


@pytest.fixture
def start(make_config):
    """Start the site with these keys, over the same data."""
    made = []

    def make(**keys: str) -> Flask:
        made.append(create_app(make_config(**keys)))
        return made[-1]

    yield make
    for app in made:
        close(app)


def moved(browser: FlaskClient, app: Flask) -> FlaskClient:
    """The same browser, with its cookies, after the restart."""
    other = app.test_client()
    for name in ("aa_session", "aa_device"):
        cookie = browser.get_cookie(name)
        assert cookie is not None
        other.set_cookie(name, cookie.value)
    return other


def guess(app: Flask, browser: FlaskClient) -> int:
    return sign_in(browser, "Ada", "a wrong guess").status_code


def test_open_forms_sessions_and_known_browsers_outlive_a_change_of_the_key(start) -> None:
    app = start(SECRET_KEY=FIRST)
    add_person(app, "Ada")
    browser = app.test_client()
    sign_in(browser, "Ada")
    form = {"csrf_token": csrf_token(browser.get("/settings/tokens")), "role": "viewer", "purposes": "read"}
    form |= {"expires_days": "30"}

    changed = start(SECRET_KEY=SECOND, SECRET_KEY_OLD=f"{THIRD} {FIRST}")
    same = moved(browser, changed)
    assert same.post("/settings/tokens", data=form | {"name": "one"}).status_code == 201
    assert csrf_token(same.get("/settings/tokens")) != form["csrf_token"]

    # Elsewhere Ada's name is under attack; the browser that she used before is counted for itself.
    for n in range(36):
        attacker = changed.test_client()
        attacker.environ_base["REMOTE_ADDR"] = f"192.0.2.{n}"
        assert guess(changed, attacker) == 422
    assert sign_in(changed.test_client(), "Ada").status_code == 429
    same.post("/sign-out", data={"csrf_token": csrf_token(same.get("/profile"))})
    assert sign_in(same, "Ada", PASSWORD).status_code == 303

    # Without the old key a form has to be loaded again, and nobody is signed out.
    forgotten = moved(same, start(SECRET_KEY=THIRD))
    token = csrf_token(same.get("/settings/tokens"))
    assert forgotten.post("/settings/tokens", data=form | {"csrf_token": token, "name": "two"}).status_code == 403
    form["csrf_token"] = csrf_token(forgotten.get("/settings/tokens"))
    assert forgotten.post("/settings/tokens", data=form | {"name": "two"}).status_code == 201


def test_the_documented_steps_change_a_key_that_was_made(start, folder) -> None:
    app = start()
    add_person(app, "Ada")
    browser = app.test_client()
    sign_in(browser, "Ada")
    form = {"csrf_token": csrf_token(browser.get("/profile")), "language": "zh", "theme": ""}
    (folder / "secret-key").rename(folder / "secret-key-old")
    changed = start(SECRET_KEY_OLD_FILE=str(folder / "secret-key-old"))
    assert (folder / "secret-key").read_text() != (folder / "secret-key-old").read_text()
    assert moved(browser, changed).post("/profile", data=form).status_code == 303
