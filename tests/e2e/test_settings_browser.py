"""Signing in and the settings in a real browser, with scripts and without."""

import re

import pytest
from playwright.sync_api import expect

from tests.people import PASSWORD
from webadmin import accounts, clock
from webadmin.accounts import second_factor
from webadmin.db import transaction

NEW = "another walk by the river"


@pytest.mark.parametrize("has_script", [True, False])
def test_tokens_people_and_password(open_browser, has_script):
    page = open_browser(java_script_enabled=has_script).new_page()
    page.goto("/settings/tokens")
    page.get_by_label("Name").fill("chat front end")
    page.get_by_role("button", name="Make token").click()
    expect(page.locator("#token-text")).to_have_text(re.compile(r"^\S{30,}$"))
    page.get_by_role("link", name="Back to the tokens").click()
    page.get_by_role("link", name="Revoke…").click()
    page.get_by_role("button", name="Revoke the token").click()
    expect(page.locator("[data-toast]")).to_contain_text("Revoked the token “chat front end”.")
    page.get_by_role("link", name="People").click()
    page.get_by_label("User name").fill("Ben")
    page.get_by_role("button", name="Add the person").click()
    expect(page.locator("#new-password")).to_have_text(re.compile(r"^\S{20,}$"))
    page.get_by_role("link", name="Back to the people").click()
    page.get_by_role("link", name="Change Ben").click()
    page.get_by_role("link", name="Deactivate…").click()
    page.get_by_role("button", name="Deactivate", exact=True).click()
    expect(page.locator("[data-toast]")).to_contain_text("Ben cannot sign in any more.")
    page.goto("/profile")
    page.get_by_role("link", name="Change password…").click()
    page.locator("#current").fill(PASSWORD)
    page.locator("#password").fill(NEW)
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("[data-toast]")).to_contain_text("Your password is changed.")


@pytest.mark.parametrize("has_script", [True, False])
def test_signing_out_and_in_leads_to_where_the_person_was_going(open_browser, has_script):
    page = open_browser(java_script_enabled=has_script).new_page()
    page.goto("/assistants")
    page.locator(".user-menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto("/backups")
    page.get_by_label("User name").fill("Ada")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("That user name and password do not match.")
    expect(page.get_by_label("User name")).to_have_value("Ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/backups$"))


def test_signing_in_again_over_a_page_takes_the_code_too(app, open_browser):
    secret = accounts.new_secret()
    with app.app_context(), transaction() as session:
        accounts.get_person_named(session, "Ada").totp_secret = secret
    page = open_browser().new_page()
    page.goto("/assistants/new")
    page.context.clear_cookies()
    page.locator("#desc").fill("Typed when the session had ended")  # The preview asks, and is refused.
    page.locator("dialog #sign-in-name").fill("Ada")
    page.locator("dialog #sign-in-password").fill(PASSWORD)
    page.locator("dialog .primary").click()
    page.locator("dialog #sign-in-code").fill("000000")
    page.locator("dialog .primary").click()
    expect(page.locator("dialog [role=alert]")).to_contain_text("That code is not right")
    page.locator("dialog #sign-in-code").fill(second_factor.code_at(secret, int(clock.now().timestamp()) // 30))
    page.locator("dialog .primary").click()
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator("#card-preview")).to_contain_text("Typed when the session had ended")


def test_single_keys_can_be_switched_off(page):
    page.goto("/profile")
    page.get_by_label("Single keys").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-toast]")).to_contain_text("Saved.")
    for key in ("?", "/", "g", "a"):
        page.keyboard.press(key)
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") != "jump"
    assert page.url.endswith("/profile")
    assert page.locator("[aria-keyshortcuts='/'], [aria-keyshortcuts^='g ']").count() == 0
    page.get_by_label("Single keys").check()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[aria-keyshortcuts='g a']")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.locator("dialog[open]")).to_be_visible()


@pytest.mark.parametrize("has_script", [True, False])
def test_a_language_of_the_account_follows_the_menu(open_browser, has_script):
    page = open_browser(java_script_enabled=has_script).new_page()
    page.goto("/profile")
    page.locator("#language").select_option("en")
    page.get_by_role("button", name="Save").click()
    page.goto("/profile")
    page.locator(".user-menu summary").click()
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def test_theme_and_language_without_scripts(open_browser):
    page = open_browser(java_script_enabled=False).new_page()
    page.goto("/assistants?q=x")
    page.locator(".user-menu summary").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator(".user-menu summary").click()
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert page.url.endswith("/assistants?q=x")
