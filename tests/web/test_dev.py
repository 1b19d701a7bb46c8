"""The page of the components shows all of them, and only in debug mode."""

import re

import pytest

from tests.people import add_person, close, sign_in
from tests.web.conftest import soup
from webadmin.app import create_app


@pytest.fixture
def debugging(make_config, monkeypatch):
    monkeypatch.setenv("FLASK_DEBUG", "1")
    built = create_app(make_config())
    add_person(built, "Ada")
    yield built
    close(built)


def macros(app, name):
    source, _, _ = app.jinja_env.loader.get_source(app.jinja_env, f"macros/{name}.html")
    return {f"{name}.{macro}" for macro in re.findall(r"{% macro ([a-z]\w*)\(", source)}


def test_every_macro_has_an_example(debugging):
    browser = debugging.test_client()
    sign_in(browser, "Ada")
    page = soup(browser.get("/dev/ui"))
    known = macros(debugging, "ui") | macros(debugging, "forms")
    shown = {each["data-macro"]: each for each in page.select("[data-macro]")}
    assert {"ui.button", "forms.of"} <= known
    assert known - shown.keys() == set()
    source = debugging.jinja_env.loader.get_source(debugging.jinja_env, "dev/ui.html")[0]
    assert [name for name in sorted(known) if f"{name}(" not in source] == []
    assert [name for name, each in shown.items() if not each.find_all(True)] == []


def test_signing_in_is_needed(debugging):
    answer = debugging.test_client().get("/dev/ui")
    assert (answer.status_code, answer.location) == (302, "/sign-in?next=/dev/ui")


def test_outside_debug_mode_it_is_not_there(app, ada):
    assert not app.debug
    assert ada.get("/dev/ui").status_code == 404
