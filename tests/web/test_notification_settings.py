"""Destinations on the settings page: secrets go in and never out, tests say what happened, the log sends again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.notifications.conftest import SECRET, by_mail
from tests.people import add_person, close, csrf_token, sign_in
from tests.web.conftest import soup, words
from webadmin import config, notifications
from webadmin.app import create_app
from webadmin.config import Config
from webadmin.db import db
from webadmin.diagnostics import CheckState, run_checks
from webadmin.saved_settings import list_saved

PAGE = "/settings/notifications"


@pytest.fixture
def open_site(make_config: Callable[..., Config]) -> Iterator[Callable[..., FlaskClient]]:
    """The browser of Ada on a site with these settings."""
    made: list[Flask] = []

    def build(**variables: str) -> FlaskClient:
        made.append(create_app(make_config(**variables)))
        add_person(made[-1], "Ada")
        browser = made[-1].test_client()
        sign_in(browser, "Ada")
        return browser

    yield build
    for app in made:
        close(app)


def send(browser: FlaskClient, path: str = "", **fields: str):
    return browser.post(PAGE + path, data={"csrf_token": csrf_token(browser.get(PAGE)), **fields})


def toast(browser: FlaskClient, path: str) -> str:
    assert send(browser, path).status_code == 303
    return words(soup(browser.get(PAGE)).select_one("#toasts"))


def check(browser: FlaskClient) -> tuple[CheckState, str]:
    with browser.application.app_context():
        [found] = [each for each in run_checks(is_thorough=False) if each.code == "notifications"]
    return found.state, str(found.fact)


def test_destinations_are_saved_and_no_secret_comes_back(open_site, hook, post):
    browser = open_site(NOTIFY_ALLOW_PRIVATE="true")
    mail = by_mail(post, SMTP_USER="ada", SMTP_PASSWORD=" a mail password ", SMTP_TLS="none")
    fields = {"WEBHOOK_URL": hook.url, "WEBHOOK_SECRET": SECRET, "HEARTBEAT_URL": hook.url, **mail}
    assert send(browser, **fields).status_code == 303
    with browser.application.app_context():
        values = config.current()
        assert values.smtp_password == " a mail password "
        assert (values.webhook_url, values.mail_to) == (hook.url, ("ada@example.org", "bob@example.org"))
    page = browser.get(PAGE)
    assert not [each for each in ("s3cret", SECRET, "a mail password") if each in page.text]
    assert f"Set: {hook.url.partition('/hook')[0]}/…" in page.text
    assert "Last changed by Ada" in page.text
    assert soup(page).select_one("[name=MAIL_TO]")["value"] == "ada@example.org, bob@example.org"
    # An empty field of a secret leaves it as it is.
    assert send(browser, **by_mail(post, SMTP_USER="bob")).status_code == 303
    with browser.application.app_context():
        assert (config.current().smtp_user, config.current().webhook_secret) == ("bob", SECRET)


def test_a_secret_is_forgotten_when_that_is_asked_for(open_site, hook):
    browser = open_site()
    send(browser, WEBHOOK_URL=hook.url, WEBHOOK_SECRET=SECRET, SMTP_PORT="587", SMTP_TLS="starttls")
    fields = {"WEBHOOK_URL.forget": "1", "WEBHOOK_SECRET.forget": "1", "SMTP_PORT": "587", "SMTP_TLS": "starttls"}
    assert send(browser, **fields).status_code == 303
    with browser.application.app_context():
        assert (config.current().webhook_url, list_saved(db.session())) == (None, {})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"WEBHOOK_URL": "https://ada:pw@example.org/x"}, "An address that begins with https:// or http://"),
        ({"WEBHOOK_URL": "https://example.org/x"}, "A webhook needs a secret"),
        ({"WEBHOOK_SECRET": "too short"}, "At least 16 characters."),
        ({"SMTP_PORT": "0"}, "A whole number from 1 to 65,535."),
        ({"SMTP_TLS": "perhaps"}, "One of those offered."),
        ({"MAIL_TO": "ada@example.org, bob"}, "E-mail addresses, separated by commas."),
        ({"MAIL_FROM": "ada@example.org\r\nBcc: x@example.org"}, "An e-mail address."),
        ({"SMTP_HOST": "mail example"}, "The name or address of a machine."),
        ({"SMTP_HOST": "mail.example.org"}, "Mail needs it."),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_saved(open_site, fields, sentence):
    browser = open_site()
    page = soup(send(browser, **{"SMTP_PORT": "587", "SMTP_TLS": "starttls"} | fields), 422)
    assert sentence in words(page.select_one("[role=alert]"))
    assert "ada:pw" not in str(page)
    with browser.application.app_context():
        assert list_saved(db.session()) == {}


def test_another_mail_server_needs_the_password_again(open_site):
    browser = open_site()
    mail = {"MAIL_FROM": "a@example.org", "MAIL_TO": "b@example.org", "SMTP_PORT": "587", "SMTP_TLS": "starttls"}
    send(browser, **mail, SMTP_HOST="mail.example.org", SMTP_PASSWORD="a mail password")
    refused = send(browser, **mail, SMTP_HOST="other.example.org")
    assert (refused.status_code, "Type the password again" in refused.text) == (422, True)
    assert send(browser, **mail, SMTP_HOST="other.example.org", SMTP_PASSWORD="a new one").status_code == 303


def test_what_the_environment_fixes_is_locked_and_still_not_shown(open_site, hook):
    browser = open_site(WEBHOOK_URL=hook.url, WEBHOOK_SECRET=SECRET)
    page = soup(browser.get(PAGE))
    assert page.select_one("[name=WEBHOOK_URL]").has_attr("disabled")
    assert "Set by WEBHOOK_URL in the environment." in words(page)
    assert "s3cret" not in str(page)
    assert send(browser, WEBHOOK_URL="https://example.org/", SMTP_PORT="587", SMTP_TLS="starttls").status_code == 303
    with browser.application.app_context():
        assert config.current().webhook_url == hook.url


def test_a_test_says_what_really_happened(open_site, hook, post):
    settings = {"WEBHOOK_URL": hook.url, "WEBHOOK_SECRET": SECRET, "HEARTBEAT_URL": hook.url, **by_mail(post)}
    browser = open_site(**settings, NOTIFY_ALLOW_PRIVATE="true")
    hook.statuses = [500]
    assert "It did not arrive. localhost answered with the status 500." in toast(browser, "/test/webhook")
    assert "Given up" in browser.get(PAGE).text
    assert "It arrived. localhost answered with the status 200." in toast(browser, "/test/webhook")
    assert "It arrived. localhost took it." in toast(browser, "/test/mail")
    assert "It arrived." in toast(browser, "/test/heartbeat")
    assert send(browser, "/test/pigeon").status_code == 404
    assert [method for method, *_ in hook.got] == ["POST", "POST", "GET"]


def test_private_addresses_need_the_setting(open_site, hook):
    browser = open_site(HEARTBEAT_URL=hook.url)
    assert "Addresses of this machine and of private networks are refused" in browser.get(PAGE).text
    assert "NOTIFY_ALLOW_PRIVATE=true allows these." in toast(browser, "/test/heartbeat")
    assert hook.got == []
    # It is not for the page to choose.
    send(browser, NOTIFY_ALLOW_PRIVATE="true", SMTP_PORT="587", SMTP_TLS="starttls")
    with browser.application.app_context():
        assert not config.current().notify_allow_private


def test_the_log_sends_again_with_the_same_id(open_site, hook):
    browser = open_site(WEBHOOK_URL=hook.url, WEBHOOK_SECRET=SECRET, NOTIFY_ALLOW_PRIVATE="true")
    hook.statuses = [500]
    send(browser, "/test/webhook")
    page = soup(browser.get(PAGE))
    action = page.select_one("td form")["action"]
    assert "It arrived." in toast(browser, action.removeprefix(PAGE))
    assert len({headers["x-notification-id"] for _, _, headers, _ in hook.got}) == 1
    assert "Arrived" in words(soup(browser.get(PAGE)).select_one("tbody"))
    assert send(browser, "/again/nothing").status_code == 404


def test_a_heartbeat_that_arrived_is_not_repeated(open_site, hook):
    browser = open_site(HEARTBEAT_URL=hook.url, NOTIFY_ALLOW_PRIVATE="true")
    send(browser, "/test/heartbeat")
    assert soup(browser.get(PAGE)).select("td form") == []
    with browser.application.app_context():
        [entry] = notifications.newest()
    assert send(browser, f"/again/{entry.id}").status_code == 409
    assert len(hook.got) == 1


def test_visitors_send_nothing(open_site, hook):
    browser = open_site(HEARTBEAT_URL=hook.url, NOTIFY_ALLOW_PRIVATE="true")
    visitor = browser.application.test_client()
    assert visitor.get(PAGE).status_code == 302
    assert visitor.post(f"{PAGE}/test/heartbeat").status_code == 302
    assert browser.post(f"{PAGE}/test/heartbeat").status_code == 403  # Without its token.
    assert hook.got == []


def test_doctor_says_how_they_stand(client, open_site, hook):
    assert check(client) == (CheckState.OK, "None is set up: only the pages tell when something goes wrong.")
    browser = open_site(HEARTBEAT_URL=hook.url, NOTIFY_ALLOW_PRIVATE="true")
    assert check(browser) == (CheckState.WARN, "Set up: heartbeat; nothing was sent yet.")
    hook.statuses = [500]
    send(browser, "/test/heartbeat")
    state, fact = check(browser)
    assert (state, fact[:43]) == (CheckState.WARN, "Nothing has arrived by heartbeat since 2026-"[:43])
    assert "Nothing has arrived since" in browser.get(PAGE).text
    send(browser, "/test/heartbeat")
    assert check(browser) == (CheckState.OK, "Set up: heartbeat; the last notification arrived.")
