"""Every screen in every state: in which world it stands, where, and what a person does to see it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from playwright.sync_api import Page, expect

from tests.e2e.worlds import World
from tests.factories import make_record, store
from tests.people import PASSWORD
from webadmin import accounts, catalogue
from webadmin.accounts import SYSTEM, TooManyTries, tries
from webadmin.db import transaction

Act = Callable[[Page, World], None]


@dataclass(frozen=True)
class Screen:
    """`name` is the screen, a dash and its state; `path` may name things of the world: `/backups/{altered}`."""

    name: str
    world: str
    path: str
    act: Act = lambda page, world: None
    role: str | None = "admin"
    """Of whoever looks; None for somebody who is not signed in."""

    def open(self, page: Page, world: World) -> None:
        """Bring the page into this state."""
        page.goto(self.path.format_map(world.names))
        self.act(page, world)


def press(*selectors: str, shows: str) -> Act:
    """Click each, and wait until `shows` is there."""

    def act(page: Page, _world: World) -> None:
        for selector in selectors:
            page.locator(selector).first.click()
        expect(page.locator(shows).first).to_be_visible()

    return act


def shows(selector: str) -> Act:
    """Wait until it is there."""
    return press(shows=selector)


def send(selector: str, *, shows: str, **typed: str) -> Act:
    """Fill the fields by their ids, and press the button."""

    def act(page: Page, _world: World) -> None:
        for field, text in typed.items():
            page.locator(f"#{field}").fill(text)
        page.locator("form[novalidate], form").evaluate_all("all => all.forEach(form => { form.noValidate = true; })")
        page.locator(selector).first.click()
        expect(page.locator(shows).first).to_be_visible()

    return act


def _noted_meanwhile(page: Page, world: World) -> None:
    page.locator("[name=shown]").evaluate("field => { field.value = 'what stood there before'; }")
    send("main .primary", shows=".wrong", note="Mine")(page, world)


def _upload(content: bytes) -> Act:
    def act(page: Page, _world: World) -> None:
        page.set_input_files("#file", {"name": "market.json", "mimeType": "application/json", "buffer": content})
        page.locator("#upload .primary").click()
        expect(page.locator("#upload [role=alert]")).to_be_visible()

    return act


def _select_rows(page: Page, _world: World) -> None:
    for number in range(2):
        page.locator("[data-select]").nth(number).check()
    expect(page.locator("[data-bulk-bar]")).to_be_visible()


def _delete_rows(page: Page, world: World) -> None:
    _select_rows(page, world)
    page.locator("[data-bulk-bar] .danger").click()
    expect(page.locator("dialog h1")).to_be_visible()


def _edit_tags(page: Page, world: World) -> None:
    _select_rows(page, world)
    page.locator("[data-bulk-bar] .btn:has(use[href*=tag])").click()
    expect(page.locator("dialog .tag-box").first).to_be_visible()


def _type(page: Page, _world: World) -> None:
    page.locator("#desc").fill("Another description")
    expect(page.locator("#save-bar")).to_be_visible()
    expect(page.locator("#card-preview")).to_contain_text("Another description")


def _show_changes(page: Page, _world: World) -> None:
    page.locator("#prompt").fill("You review code changes.\nQuote the line, and {name}.")
    page.locator("#show-changes").click()
    expect(page.locator("#prompt-pane .diff")).to_be_visible()


def _kept_text(page: Page, world: World) -> None:
    _type(page, world)
    page.wait_for_function("localStorage.length > 0")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.locator("[data-draft-note]")).to_be_visible()


def _conflict(page: Page, world: World) -> None:
    with world.app.app_context(), transaction() as session:
        current = catalogue.get(session, "ast_1")
        changed = {"desc": f"Theirs, after v{current.version}", "tags": ["coding", f"v{current.version}"]}
        catalogue.update(session, SYSTEM, "ast_1", changed, version=current.version)
    page.locator("#desc").fill("Mine")
    page.locator("#prompt").fill("My prompt\nof two lines")
    page.locator("#save-bar .primary").click()
    expect(page.locator("#conflict")).to_be_visible()


def _gone(page: Page, world: World) -> None:
    store(world.app, make_record("short-lived"))
    page.goto("/assistants/edit/short-lived")
    with world.app.app_context(), transaction() as session:
        catalogue.remove(session, SYSTEM, "short-lived")
    page.locator("#desc").fill("Mine")
    page.locator("#save-bar .primary").click()
    expect(page.locator("main .text-block")).to_be_visible()


def _session_ends(page: Page, _world: World) -> None:
    kept = page.context.cookies()
    page.context.clear_cookies()
    page.locator("#desc").fill("Typed when the session had ended")  # The preview asks, and is refused.
    expect(page.locator("dialog #sign-in-name")).to_be_visible()
    page.context.add_cookies(kept)


def _connection_lost(page: Page, _world: World) -> None:
    page.locator("#desc").fill("Typed when the connection was lost")
    page.context.set_offline(True)
    page.locator("#save-bar .primary").click()
    expect(page.locator("#offline")).to_be_visible()
    page.context.set_offline(False)


def _open_in_use(page: Page, _world: World) -> None:
    page.locator("tr", has_text="n00").get_by_role("button").click()
    expect(page.locator(".halves")).to_be_visible()


def _unticked(page: Page, _world: World) -> None:
    page.locator("#confirmed").evaluate("box => { box.required = false; }")
    page.locator("main .danger-fill").click()
    expect(page.locator("main [role=alert]")).to_be_visible()


def _turn_on(page: Page, world: World) -> None:
    """Also when it was on already: then these are new recovery codes."""
    _is_on(page, world)
    page.locator("#current").fill(PASSWORD)
    page.locator("main form .btn").first.click()
    expect(page.locator("#recovery-codes")).to_be_visible()


def _is_on(page: Page, world: World) -> None:
    with world.app.app_context(), transaction() as session:
        accounts.get_person_named(session, "Ada").totp_secret = accounts.new_secret()
    page.reload()
    expect(page.locator("[formaction]")).to_be_visible()


def _second_step(page: Page, world: World) -> None:
    with world.app.app_context(), transaction() as session:
        if accounts.find_user(session, "Coda") is None:
            accounts.add_user(session, SYSTEM, "Coda", PASSWORD).totp_secret = accounts.new_secret()
    typed = {"sign-in-name": "Coda", "sign-in-password": PASSWORD}
    send(".sign-in .primary", shows="#sign-in-code", **typed)(page, world)


def _invite(page: Page, world: World) -> None:
    send("main form .primary", shows="#new-password", name=f"Ben {next(_numbers)}")(page, world)


_numbers = count(1)
DAYS = "#list-filters summary:has(use[href*='#clock'])"


def _send_too_late(page: Page, _world: World) -> None:
    page.locator("#name").fill("A name that is not lost, whatever happens to the session")
    page.locator("main [name=csrf_token]").evaluate("field => { field.value = 'of an old session'; }")
    page.locator("main .primary").click()
    expect(page.locator("main textarea[readonly]")).to_be_visible()


def _fail_in_part(page: Page, _world: World) -> None:
    page.evaluate("htmx.ajax('GET', '/fail/500', {target: 'main'})")
    expect(page.locator(".toast.bad").first).to_be_visible()


OPENED = press("tbody a.entry-title", shows="dl.changes")
ROW_MENU = press("tr[data-row] .c-menu > *", shows=".menu[open] .danger")


def _too_many_tries(page: Page, world: World) -> None:
    with world.app.app_context(), suppress(TooManyTries):
        for number in range(37):
            tries.at_sign_in("somebody", f"elsewhere {number}", None)
    typed = {"sign-in-name": "somebody", "sign-in-password": "wrong"}
    send(".sign-in .primary", shows="[data-countdown]", **typed)(page, world)


WRONG = send(".sign-in .primary", shows="[role=alert]", **{"sign-in-name": "Ada", "sign-in-password": "wrong"})

SCREENS = [
    Screen("dashboard - empty", "empty", "/"),
    Screen("dashboard - all well", "good", "/"),
    Screen("dashboard - backup not checked", "full", "/"),
    Screen("dashboard - last backup failed", "failed", "/"),
    Screen("dashboard - user menu open", "good", "/", press(".user-menu summary", shows=".user-menu .menu-list")),
    Screen("dashboard - keys", "good", "/", lambda page, _world: page.keyboard.press("?")),
    Screen("dashboard - table of the bars", "good", "/", press(".as-table summary", shows=".as-table table")),
    Screen("list - empty", "empty", "/assistants"),
    Screen("list - filled", "full", "/assistants"),
    Screen("list - compact and filtered", "full", "/assistants?status=published&tag=coding&author=marta&rows=compact"),
    Screen("list - match in the prompt", "full", "/assistants?q=ppp"),
    Screen("list - no match", "full", "/assistants?q=nowhere", shows(".empty")),
    Screen("list - with selection", "full", "/assistants?status=draft", _select_rows),
    Screen("list - question before several go", "full", "/assistants?status=draft", _delete_rows),
    Screen("list - tags of several", "full", "/assistants?status=draft", _edit_tags),
    Screen("list - menu of a row open", "full", "/assistants", ROW_MENU),
    Screen("list - tags to choose from", "full", "/assistants", press("#list-filters summary", shows=".menu[open] a")),
    Screen(
        "list - sort menu open", "full", "/assistants", press("#list-filters summary >> nth=-1", shows=".menu[open] hr")
    ),
    Screen("list - days of the last edit", "full", "/assistants", press(DAYS, shows="#edited-from")),
    Screen("list - edited since", "full", "/assistants?from=2026-01-01"),
    Screen("list - changed by an import", "full", "{written}"),
    Screen("list - as a viewer", "full", "/assistants", role="viewer"),
    Screen("list - as a reviewer", "full", "/assistants", _select_rows, role="reviewer"),
    Screen("filter - tags", "full", "/assistants/filter/tag"),
    Screen("filter - authors", "full", "/assistants/filter/author"),
    Screen("actions - of one", "full", "/assistants/actions/ast_1"),
    Screen("editor - new", "good", "/assistants/new"),
    Screen("editor - new with errors", "good", "/assistants/new", send("#save-bar .primary", shows="[role=alert]")),
    Screen("editor - published", "full", "/assistants/edit/ast_1"),
    Screen("editor - pending", "good", "/assistants/edit/ast_1"),
    Screen("editor - rejected", "full", "/assistants/edit/ast_4"),
    Screen("editor - private draft", "good", "/assistants/edit/ast_3"),
    Screen("editor - odd id, long texts", "full", "/assistants/edit/~YS9iP2MjZA"),
    Screen("editor - as a viewer", "good", "/assistants/edit/ast_2", role="viewer"),
    Screen("editor - unsaved", "good", "/assistants/edit/ast_2", _type),
    Screen("editor - changes of the prompt", "full", "/assistants/edit/ast_4", _show_changes),
    Screen(
        "editor - preview of the prompt", "full", "/assistants/edit/ast_4", press("#show-preview", shows=".text-block")
    ),
    Screen("editor - text kept in the browser", "good", "/assistants/edit/ast_2", _kept_text),
    Screen(
        "editor - with errors",
        "good",
        "/assistants/edit/ast_2",
        send("#save-bar .primary", shows="[role=alert]", title="", prompt="", desc="d" * 1001),
    ),
    Screen("editor - emoji picker open", "good", "/assistants/edit/ast_2", press("[popovertarget]", shows=".picks")),
    Screen(
        "editor - menu open", "good", "/assistants/edit/ast_2", press("#editor-head summary", shows=".menu[open] hr")
    ),
    Screen(
        "editor - question before deleting",
        "good",
        "/assistants/edit/ast_2",
        press("#editor-head summary", "#editor-head .danger", shows="dialog h1"),
    ),
    Screen("editor - conflict", "full", "/assistants/edit/ast_1", _conflict),
    Screen("editor - deleted meanwhile", "full", "/assistants", _gone),
    Screen("editor - session ended", "good", "/assistants/edit/ast_2", _session_ends),
    Screen("editor - connection lost", "good", "/assistants/edit/ast_2", _connection_lost),
    Screen("history - of one", "good", "/assistants/history/ast_5"),
    Screen(
        "history - two compared",
        "good",
        "/assistants/history/ast_5",
        press("tr:last-child .c-actions .btn >> nth=0", shows=".changes"),
    ),
    Screen(
        "history - side by side",
        "good",
        "/assistants/history/ast_5",
        press("tr:last-child .c-actions .btn >> nth=0", "[href*='view=side']", shows=".diff.halves"),
    ),
    Screen("history - of a deleted one", "full", "/assistants/history/n01"),
    Screen("delete - one, as a page", "full", "/assistants/delete/ast_2"),
    Screen("trash - empty", "empty", "/trash"),
    Screen("trash - filled", "full", "/trash"),
    Screen("trash - id in use", "full", "/trash", _open_in_use),
    Screen("backups - none", "empty", "/backups"),
    Screen("backups - filled", "full", "/backups"),
    Screen("backups - none of a kind", "good", "/backups?kind=uploaded"),
    Screen("backups - running", "busy", "/backups"),
    Screen("backups - last run failed", "failed", "/backups"),
    Screen(
        "backups - menu of a row open",
        "full",
        "/backups",
        press(".c-actions .actions > a:last-child", shows=".menu[open] .danger"),
    ),
    Screen("backup - verified", "full", "/backups/{verified}"),
    Screen("backup - pinned", "full", "/backups/{pinned}"),
    Screen(
        "backup - pin with a note",
        "full",
        "/backups/{verified}",
        press(".page-head summary", ".menu[open] [href$='/pin']", shows="dialog #note"),
    ),
    Screen(
        "backup - note too long",
        "full",
        "/backups/{pinned}/note",
        send("main .primary", shows="[role=alert], .wrong", note="n" * 2001),
    ),
    Screen("backup - note changed meanwhile", "full", "/backups/{pinned}/note", _noted_meanwhile),
    Screen("backup - not checked", "full", "/backups/{unchecked}"),
    Screen("backup - altered", "full", "/backups/{altered}"),
    Screen("backup - failed", "full", "/backups/{torn}"),
    Screen("backup - missing", "full", "/backups/{missing}"),
    Screen("backup - question before deleting", "full", "/backups/{altered}", press("main .danger", shows="dialog h1")),
    Screen("backup - the only good one stays", "good", "/backups/{only}/delete"),
    Screen("comparison - with now", "good", "/backups/{only}/compare"),
    Screen("comparison - row opened", "good", "/backups/{only}", press("#compare tbody a", shows="#compare .changes")),
    Screen("comparison - with another backup", "full", "/backups/{verified}/compare?with={pinned}"),
    Screen("comparison - one assistant", "good", "/backups/{only}/compare/ast_5"),
    Screen("comparison - side by side", "good", "/backups/{only}/compare/ast_5?view=side"),
    Screen("comparison - unreadable file", "full", "/backups/{broken}/compare"),
    Screen("upload - a backup to keep", "full", "/backups/upload"),
    Screen("upload - refused", "full", "/backups/upload", _upload(b"hello")),
    Screen("bin - empty", "empty", "/backups/bin"),
    Screen("bin - filled", "full", "/backups/bin"),
    Screen("import - upload", "full", "/import"),
    Screen("import - file refused", "full", "/import", _upload(b"\x1f\x8bhello")),
    Screen("import - file too large", "full", "/import", _upload(b" " * 1_200_000)),
    Screen("import - bad records", "full", "{decide}"),
    Screen("import - altered file", "full", "{changed}"),
    Screen("import - cannot be imported", "full", "{refused}"),
    Screen("import - review", "full", "{review}"),
    Screen("import - review, added", "full", "{review}?tab=added"),
    Screen("import - review, a record opened", "full", "{review}?tab=added", OPENED),
    Screen(
        "import - fields of the file", "full", "{review}", press("details.card summary", shows="details[open] table")
    ),
    Screen("import - one record", "full", "{review}/changes/1"),
    Screen("import - nothing to change", "full", "{same}"),
    Screen(
        "import - question before deleting", "full", "{review}?mode=replace", press(".bar .primary", shows="dialog h1")
    ),
    Screen("import - confirmation, as a page", "full", "{review}/confirm?mode=replace", _unticked),
    Screen("import - applying", "busy", "/import/{applied}"),
    Screen("import - result", "full", "{done}"),
    Screen("import - undo", "full", "{undo}"),
    Screen("job - failed", "busy", "/jobs/{ended}"),
    Screen("job - running", "busy", "/jobs/{job}"),
    Screen("settings - no tokens", "empty", "/settings/tokens"),
    Screen("settings - tokens", "full", "/settings/tokens"),
    Screen("settings - token refused", "full", "/settings/tokens", send("main .primary", shows="[role=alert]")),
    Screen("settings - question before rotating", "full", "/settings/tokens", press("td .btn", shows="dialog h1")),
    Screen(
        "settings - question before revoking",
        "full",
        "/settings/tokens",
        press("td .btn:last-child", shows="dialog h1"),
    ),
    Screen(
        "settings - token rotated", "full", "/settings/tokens/{rotated}/rotate", press(".primary", shows="#token-text")
    ),
    Screen("settings - schedule", "full", "/settings/schedule"),
    Screen(
        "settings - schedule refused",
        "full",
        "/settings/schedule",
        send("main .primary", shows="[role=alert]", AUTO_BACKUP_TIME=""),
    ),
    Screen("settings - schedule fixed by the environment", "busy", "/settings/schedule"),
    Screen("settings - retention", "full", "/settings/retention"),
    Screen(
        "settings - retention refused",
        "full",
        "/settings/retention",
        send("main .primary", shows="[role=alert]", BACKUP_RETENTION_DAYS="0"),
    ),
    Screen("settings - notifications", "empty", "/settings/notifications"),
    Screen(
        "settings - notifications refused",
        "full",
        "/settings/notifications",
        send("main form .primary", shows="[role=alert]", SMTP_PORT="0"),
    ),
    Screen("settings - notifications fixed by the environment", "busy", "/settings/notifications"),
    Screen("settings - people", "full", "/settings/people"),
    Screen("settings - person refused", "full", "/settings/people", send("main .primary", shows="[role=alert]")),
    Screen("activity - filled", "full", "/activity", press("main details summary", shows="main details[open]")),
    Screen("activity - nothing found", "full", "/activity?object=nothing"),
    Screen("person - active", "full", "/settings/people/1"),
    Screen("person - kept out", "full", "/settings/people/{kept_out}"),
    Screen("person - password shown once", "full", "/settings/people", _invite),
    Screen(
        "person - question before deactivating", "full", "/settings/people/1", press("main .danger", shows="dialog h1")
    ),
    Screen("account - sessions", "full", "/profile"),
    Screen("account - second factor off", "full", "/profile/second-factor"),
    Screen("account - recovery codes", "good", "/profile/second-factor", _turn_on),
    Screen("account - second factor on", "good", "/profile/second-factor", _is_on),
    Screen("account - password", "full", "/profile/password"),
    Screen("account - password refused", "full", "/profile/password", send("main .primary", shows="[role=alert]")),
    Screen("health - all well", "good", "/health"),
    Screen("health - every check", "full", "/health?all=1"),
    Screen("health - damaged", "damaged", "/health"),
    Screen("health - damaged catalogue", "damaged", "/assistants"),
    Screen("health - locked", "locked", "/health"),
    Screen("recovery - prepared", "damaged", "/health/recovery"),
    Screen("recovery - only in the copy", "damaged", "/health/recovery?tab=copy"),
    Screen("recovery - one opened", "damaged", "/health/recovery/1"),
    Screen("recovery - copies", "damaged", "/health/recovery/copies"),
    Screen("sign-in - asked", "empty", "/sign-in", role=None),
    Screen("sign-in - wrong", "empty", "/sign-in", WRONG, role=None),
    Screen("sign-in - slowed down", "empty", "/sign-in", _too_many_tries, role=None),
    Screen("sign-in - code asked", "empty", "/sign-in", _second_step, role=None),
    Screen("setup - asked", "new", "/setup", role=None),
    Screen("setup - with errors", "new", "/setup", send("main .block", shows="[role=alert]"), role=None),
    *(Screen(f"error - {code}", "good", f"/fail/{code}") for code in (400, 403, 404, 413, 429, 500, 503)),
    Screen("error - form open too long", "good", "/settings/tokens", _send_too_late),
    Screen("error - as a toast", "good", "/assistants", _fail_in_part),
    Screen("api - calls", "good", "/api/docs"),
    Screen("api - examples in python", "good", "/api/docs?language=python"),
    Screen("components - all", "dev", "/dev/ui"),
    Screen("components - dialog", "dev", "/dev/ui", press("[data-template=dev-dialog]", shows="dialog h1")),
    Screen("error - 404 signed out", "empty", "/setup", role=None),
]
BY_ID = {re.sub(r"[^a-z0-9]+", "-", screen.name): screen for screen in SCREENS}
