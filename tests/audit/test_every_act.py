"""Every act has its entry: each route that writes or hands something out, each command, each task of the scheduler.

The routes and commands are those of the program itself, so a new one that is not done here, or records nothing, fails.
Whatever is secret or a prompt bears a mark here, and is looked for in the log and in its exports.
"""

from __future__ import annotations

import io
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click
import pytest
import time_machine
from flask import Flask

from tests.people import PASSWORD, add_person, add_token, close, session_token, sign_in
from tests.web.conftest import Browser
from tests.web.test_import_choices import apply_form, choices_form
from tests.web.test_second_factor import code_now
from webadmin import audit, backups, catalogue, clock, jobs
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.audit import Act
from webadmin.db import db, transaction
from webadmin.errors import Message
from webadmin.scheduler import Scheduler
from webadmin.web.activity import DETAILS

MARK = "zq7secret"
PROMPT = f"prompt {MARK}"
FIELDS = {"title": "One", "desc": "d", "emoji": "1", "prompt": PROMPT}
# Reading, or a step of something that is recorded when it is done.
NO_ACT = {
    "assistants.preview", "backup_settings.preview_retention", "backup_settings.preview_schedule", "comparisons.start",
    "restore.receive", "restore.from_backup", "restore.choose", "restore.undo",
}  # fmt: skip
# Seen in tests/web/test_recovery.py and tests/accounts/test_setup.py, since each needs another world.
ELSEWHERE = {"recovery.begin", "recovery.apply", "recovery.choose", "recovery.discard"}
DOWNLOADS = {
    "api.export_catalogue", "assistants.export_one", "backups.download", "restore.records", "restore.problems",
    "health.download", "activity.export",
}  # fmt: skip
COMMANDS_WITHOUT_ACT = {"backup list", "audit list", "user list", "token list", "doctor"}
# What they do is seen in tests/test_upgrade.py and tests/test_recovery.py.
COMMANDS_ELSEWHERE = {"db upgrade", "db begin-empty", "recover"}


class World:
    """A site in which everything is done once, and what the log says of each."""

    def __init__(self, app: Flask, path: Path) -> None:
        self.app = app
        self.path = path
        self.client = app.test_client()
        self.done: set[str] = set()

    def log(self, after: int = 0) -> list[dict]:
        with closing(sqlite3.connect(self.path)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM aa_audit WHERE number > ?", (after,))]

    def last(self) -> int:
        return max((row["number"] for row in self.log()), default=0)

    def expect(self, after: int, *acts: Act) -> dict:
        """That these acts, and no others, were recorded since; gives the last of their entries."""
        deadline = time.monotonic() + 60
        with self.app.app_context():
            while jobs.running() and time.monotonic() < deadline:
                time.sleep(0.02)
        rows = self.log(after)
        assert [row["act"] for row in rows] == [str(act) for act in acts]
        return rows[-1] if rows else {}

    def send(
        self, endpoint: str, url: str, *acts: Act, method: str = "POST", token: str | None = None, **options
    ) -> str:
        """Do what stands behind an endpoint and compare what was recorded; gives where it leads, or the text."""
        before = self.last()
        headers = {"X-CSRFToken": session_token(self.client), **options.pop("headers", {})}
        if token is not None:
            headers = {"Authorization": f"Bearer {token}"}
        found, _ = self.app.url_map.bind("localhost").match(url.partition("?")[0], method)
        assert found == endpoint
        client = self.app.test_client() if token is not None else self.client
        answer = client.open(url, method=method, headers=headers, buffered=True, **options)
        assert answer.status_code < 400, (url, re.findall('role="alert".{,600}', answer.text, re.DOTALL))
        row = self.expect(before, *acts)
        if row:
            assert (row["who_kind"], row["who_name"]) == (("token", "robot") if token else ("person", "Ada")), row
            assert (row["way"], row["address"]) == ("api" if token else "page", "127.0.0.1")
        self.done.add(endpoint)
        return answer.location or answer.text

    def run(self, command: str, *acts: Act, stdin: str | None = None) -> str:
        before = self.last()
        with self.app.app_context():
            result = self.app.test_cli_runner().invoke(args=command.split(), input=stdin)
        assert result.exit_code == 0, (command, result.output)
        row = self.expect(before, *acts)
        if row:
            assert (row["who_kind"], row["way"]) == ("command-line", "command-line"), row
        self.done.add(" ".join(self.named(command)))
        return result.output

    def named(self, command: str) -> Iterator[str]:
        found: click.Command = self.app.cli
        for word in command.split():
            if not isinstance(found, click.Group):
                return
            found = found.commands[word]
            yield word


@pytest.fixture
def world(make_config, folder) -> Iterator[World]:
    # A web hook that nobody answers: sending to it is an act all the same.
    built = create_app(
        make_config(
            WEBHOOK_URL=f"http://127.0.0.1:9/{MARK}",
            WEBHOOK_SECRET=f"{MARK}-for-signing-0",
            NOTIFY_ALLOW_PRIVATE="true",
        )
    )
    add_person(built, "Ada", f"{PASSWORD} {MARK}")
    made = World(built, folder / "assistants.db")
    yield made
    close(built)


def newest(world: World) -> str:
    with world.app.app_context():
        return backups.list_backups(db.session())[0].name


def document(world: World, title: str) -> dict:
    text = json.dumps([{"id": f"file-{n}", "title": title, "prompt": PROMPT} for n in range(2)])
    return {"data": {"file": (io.BytesIO(text.encode()), "market.json"), "csrf_token": session_token(world.client)}}


def do_assistants(world: World, token: str) -> None:
    api, one = "/api/assistants", Act.ASSISTANT_CHANGED
    world.send("api.create_assistant", api, Act.ASSISTANT_CREATED, token=token, json={"id": "a", **FIELDS})
    world.send("api.update_assistant", f"{api}/a", one, method="PUT", token=token, json={"version": 1, "title": "Two"})
    moved = {"version": 2, "status": "pending"}
    world.send("api.set_status", f"{api}/a/status", Act.STATUS_CHANGED, method="PATCH", token=token, json=moved)
    world.send("assistants.create", "/assistants/new", Act.ASSISTANT_CREATED, data=FIELDS)
    world.send("assistants.preview", "/assistants/preview", data=FIELDS)
    world.send("assistants.update", "/assistants/edit/a", one, data={**FIELDS, "version": "3", "action": "save"})
    world.send("assistants.duplicate", "/assistants/duplicate/a", Act.ASSISTANT_CREATED)
    back = {"state": "1", "version": "4"}
    world.send("assistants.return_state", "/assistants/history/a", Act.ASSISTANT_BROUGHT_BACK, data=back)
    world.send("assistants.undo_return", "/assistants/undo/a?state=5&version=5", Act.ASSISTANT_BROUGHT_BACK)
    world.send("assistants.publish_selected", "/assistants/publish", Act.ASSISTANTS_CHANGED, data={"id": "a"})
    world.send("assistants.unpublish_selected", "/assistants/unpublish", Act.ASSISTANTS_CHANGED, data={"id": "a"})
    tags = {"id": "a", "tags": "new", "confirmed": "1"}
    world.send("assistants.tag_selected", "/assistants/tags", Act.ASSISTANTS_CHANGED, data=tags)
    world.send("assistants.export_selected", "/assistants/export", Act.EXPORTED, data={"id": "a"})
    world.send("assistants.export_one", "/assistants/export/a", Act.EXPORTED, method="GET")
    chosen = {"id": "a", "confirmed": "1"}
    world.send("assistants.delete_selected", "/assistants/delete", Act.BACKUP_MADE, Act.ASSISTANTS_DELETED, data=chosen)
    world.send("assistants.undo_delete", "/trash/undo?number=1", Act.ASSISTANT_PUT_BACK)
    version = _version(world, "a")
    world.send("assistants.delete", "/assistants/delete/a", Act.ASSISTANT_DELETED, data={"version": version})
    world.send("assistants.put_back", "/trash/put-back/2", Act.ASSISTANT_PUT_BACK)
    world.send("api.delete_assistant", f"{api}/a", Act.ASSISTANT_DELETED, method="DELETE", token=token)
    world.send("assistants.put_back", "/trash/put-back/3", Act.ASSISTANT_PUT_BACK)


def _version(world: World, id: str) -> int:
    with world.app.app_context():
        return catalogue.get(db.session(), id).version


def do_backups(world: World, token: str) -> None:
    world.send("backups.create", "/backups", Act.BACKUP_MADE)
    world.send("api.create_backup", "/api/assistants/backup/create", Act.BACKUP_MADE, token=token)
    name = newest(world)
    at = f"/backups/{name}"
    world.send("backups.verify", f"{at}/verify", Act.BACKUP_VERIFIED)
    world.send("backup_marks.verify_all", "/backups/verify", Act.BACKUP_VERIFIED)
    world.send("backups.download", f"{at}/download", Act.BACKUP_DOWNLOADED, method="GET")
    world.send("backup_marks.note", f"{at}/note", Act.BACKUP_NOTED, data={"note": "why", "shown": ""})
    world.send("backup_marks.pin", f"{at}/pin", Act.BACKUP_PINNED, data={"note": "why", "shown": "why"})
    world.send("backup_marks.unpin", f"{at}/unpin", Act.BACKUP_UNPINNED)
    world.send("comparisons.start", f"{at}/compare")
    with world.app.app_context(), transaction() as session:
        catalogue.update(session, SYSTEM, "a", {"title": "Three"}, version=_version(world, "a"))
    brought = {"version": _version(world, "a")}
    world.send("comparisons.restore", f"{at}/restore/a", Act.ASSISTANT_BROUGHT_BACK, data=brought)
    world.send("backups.delete", f"{at}/delete", Act.BACKUP_DELETED)
    world.send("backups.unbin", f"/backups/bin/{name}/bring-back", Act.BACKUP_UNBINNED)
    world.send("backups.receive", "/backups/upload", Act.BACKUP_UPLOADED, **document(world, "Kept"))
    world.send("backups.delete", f"{at}/delete", Act.BACKUP_DELETED)
    world.send("health.make_room", "/health/room", Act.BACKUPS_PRUNED)
    world.send("api.export_catalogue", "/api/assistants/backup/export", Act.EXPORTED, method="GET", token=token)


def do_imports(world: World, token: str) -> None:
    browser = Browser(world.client)
    imported = Act.BACKUP_MADE, Act.IMPORTED
    world.send("api.import_document", "/api/assistants/backup/import", *imported, token=token,
               data=document(world, "File")["data"])  # fmt: skip
    at = world.send("restore.receive", "/import", **document(world, "Other"))
    browser.settled(at)
    form = choices_form(browser.page(at))
    fields = {each["name"]: each["value"] for each in form.select("input[type=hidden], input[checked]")}
    world.send("restore.choose", form["action"], data=fields | {"bulk": "file"})
    apply(world, browser, at, *imported)
    world.send("restore.records", f"{at}/records.csv", Act.REPORT_DOWNLOADED, method="GET")
    world.send("restore.problems", f"{at}/problems.csv", Act.REPORT_DOWNLOADED, method="GET")
    world.send("restore.from_backup", "/import/backup", data={"name": newest(world)})
    undo = world.send("restore.undo", "/import/undo", data={"name": newest(world)})
    browser.settled(undo)
    apply(world, browser, undo, Act.BACKUP_MADE, Act.IMPORT_UNDONE)
    with world.app.app_context():
        for_robot = jobs.start("verify", SYSTEM, lambda _: jobs.Waiting({}), title=Message("A task"))
        jobs.wait(for_robot.id, 10)
    world.send("jobs.cancel", f"/jobs/{for_robot.id}/cancel", Act.TASK_CANCELLED)
    world.send("api.cancel_job", f"/api/jobs/{for_robot.id}/cancel", Act.TASK_CANCELLED, token=token)


def apply(world: World, browser: Browser, at: str, *acts: Act) -> None:
    form = apply_form(browser.page(at))
    fields = {each["name"]: each.get("value", "") for each in form.select("input[name]")}
    world.send("restore.apply", form["action"], *acts, data=fields)


def do_settings(world: World) -> None:
    schedule = {
        "AUTO_BACKUP_ENABLED": "true",
        "AUTO_BACKUP_TIME": "03:00",
        "AUTO_BACKUP_DAYS": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    }
    page = "/settings/schedule"
    world.send("backup_settings.preview_schedule", f"{page}/preview", data=schedule)
    world.send("backup_settings.save_schedule", page, Act.SETTINGS_CHANGED, data=schedule)
    kept = {
        "BACKUP_RETENTION_DAYS": "40",
        "BACKUP_KEEP_DAILY": "0",
        "BACKUP_KEEP_WEEKLY": "0",
        "BACKUP_KEEP_MONTHLY": "0",
    }
    world.send("backup_settings.preview_retention", "/settings/retention/preview", data=kept)
    world.send("backup_settings.save_retention", "/settings/retention", Act.SETTINGS_CHANGED, data=kept)
    mail = {"SMTP_HOST": "mail.example.org", "MAIL_TO": "a@example.org", "MAIL_FROM": "b@example.org",
            "SMTP_PASSWORD": MARK, "SMTP_PORT": "587", "SMTP_TLS": "starttls"}  # fmt: skip
    notifications = "/settings/notifications"
    world.send("notification_settings.save_destinations", notifications, Act.SETTINGS_CHANGED, data=mail)
    world.send("notification_settings.send_test", f"{notifications}/test/webhook", Act.NOTIFICATION_SENT)
    again = re.search(r"/settings/notifications/again/([\w-]+)", world.client.get(notifications).text)
    assert again
    world.send("notification_settings.send_again", again[0], Act.NOTIFICATION_SENT)
    world.send(
        "settings.add_token",
        "/settings/tokens",
        Act.TOKEN_MADE,
        data={"name": "brief", "role": "viewer", "purposes": "read", "expires_days": "30"},
    )
    for_days = {"expires_days": "30", "keep_hours": "24"}
    world.send("settings.rotate_token", "/settings/tokens/2/rotate", Act.TOKEN_ROTATED, data=for_days)
    world.send("settings.end_old", "/settings/tokens/2/end-old", Act.TOKEN_TEXT_ENDED)
    world.send("settings.revoke_token", "/settings/tokens/2/revoke", Act.TOKEN_REVOKED)
    world.send("health.download", "/health/diagnostics", Act.REPORT_DOWNLOADED, method="GET")
    world.send("activity.export", "/activity/export", Act.LOG_EXPORTED, method="GET")


def do_people(world: World) -> None:
    people = "/settings/people"
    world.send("people.add", people, Act.PERSON_ADDED, data={"name": "Bob", "role": "editor"})
    world.send("people.change", f"{people}/2", Act.PERSON_CHANGED, data={"name": "Rob", "role": "viewer"})
    world.send("people.reset", f"{people}/2/reset-password", Act.PASSWORD_RESET)
    world.send("people.reset_second_factor", f"{people}/2/reset-second-factor", Act.SECOND_FACTOR_RESET)
    world.send("people.sign_out", f"{people}/2/sign-out", Act.SESSIONS_ENDED)
    world.send("people.deactivate", f"{people}/2/deactivate", Act.PERSON_DEACTIVATED)
    world.send("people.activate", f"{people}/2/activate", Act.PERSON_ACTIVATED)
    own = {"language": "en", "theme": "dark"}
    world.send("profile.save", "/profile", Act.PROFILE_CHANGED, data=own)
    world.send("prefs.set", "/preferences", Act.PROFILE_CHANGED, data={"theme": "light"})
    world.send("profile.end_session", "/profile/sessions/end", Act.SESSIONS_ENDED, data={"session": "another"})
    world.send("profile.end_others", "/profile/sessions/end-others", Act.SESSIONS_ENDED)
    old, new = f"{PASSWORD} {MARK}", f"{PASSWORD} {MARK} again"
    changed = {"current": old, "password": new, "repeated": new, "repeat": new}
    world.send("profile.change_password", "/profile/password", Act.PASSWORD_CHANGED, data=changed)
    key = re.search(r'<code id="key">([A-Z2-7]+)</code>', world.client.get("/profile/second-factor").text)[1]
    factor = {"current": new, "code": code_now(key, ahead=-1)}
    world.send("profile.turn_on", "/profile/second-factor", Act.SECOND_FACTOR_ON, data=factor)
    world.send("profile.renew_codes", "/profile/second-factor/codes", Act.CODES_RENEWED, data={"current": new})
    world.send("auth.sign_out", "/sign-out", Act.SIGN_OUT)
    world.client = world.app.test_client()
    sign_in(world.client, "Ada", new)
    world.send("auth.code", "/sign-in/code", Act.SIGN_IN, data={"code": code_now(key)})
    world.send("profile.turn_off", "/profile/second-factor/off", Act.SECOND_FACTOR_OFF, data={"current": new})


def do_commands(world: World, folder: Path) -> None:
    world.run("backup create", Act.BACKUP_MADE)
    name = newest(world)
    world.run(f"backup verify {name}", Act.BACKUP_VERIFIED)
    file = folder / "command.json"
    file.write_text(json.dumps([{"id": "by-command", "title": "C", "prompt": PROMPT}]))
    world.run(f"assistants import {file} --yes", Act.BACKUP_MADE, Act.IMPORTED)
    world.run(f"backup restore {name} --yes --mode replace", Act.BACKUP_MADE, Act.IMPORTED)
    with world.app.app_context():
        backups.delete(SYSTEM, name)
    world.run(f"backup unbin {name}", Act.BACKUP_UNBINNED)
    with world.app.app_context():
        backups.delete(SYSTEM, name)
    with time_machine.travel(clock.now() + timedelta(days=8), tick=True):
        world.run("backup prune", Act.BACKUPS_PRUNED)
    world.run(f"assistants export {folder / 'out.json'}", Act.EXPORTED)
    world.run(f"audit export {folder / 'log.jsonl'}", Act.LOG_EXPORTED)
    world.run("user add Cid --role viewer --password-stdin", Act.PERSON_ADDED, stdin=f"{PASSWORD} {MARK}\n")
    world.run("user change Cid --role editor", Act.PERSON_CHANGED)
    world.run("user reset-password Cid", Act.PASSWORD_RESET)
    world.run("user reset-second-factor Cid", Act.SECOND_FACTOR_RESET)
    world.run("user sign-out Cid", Act.SESSIONS_ENDED)
    world.run("user deactivate Cid", Act.PERSON_DEACTIVATED)
    world.run("user activate Cid", Act.PERSON_ACTIVATED)
    world.run("token add short --role viewer", Act.TOKEN_MADE)
    world.run("token rotate short", Act.TOKEN_ROTATED)
    world.run("token end-old short", Act.TOKEN_TEXT_ENDED)
    world.run("token revoke short", Act.TOKEN_REVOKED)


def do_tasks(world: World) -> None:
    scheduler = Scheduler(world.app)
    with world.app.app_context():
        for task, act in (
            (scheduler.back_up, Act.BACKUP_MADE),
            (scheduler.take_snapshot, Act.SNAPSHOT_TAKEN),
            (scheduler.keep_house, Act.TRASH_EMPTIED),
        ):
            with time_machine.travel(clock.now().replace(hour=5) + timedelta(days=40), tick=True):
                before = world.last()
                task()
                acts = [row["act"] for row in world.log(before)]
            assert act in acts, (task, acts)


def do_refusals(world: World) -> None:
    viewer = add_token(world.app, "viewer", role="viewer")
    with world.app.app_context():
        before = world.last()
    stranger = world.app.test_client()
    sign_in(stranger, "Ada", MARK)
    sign_in(stranger, MARK, MARK)
    stranger.get(f"/api/assistants?{MARK}", headers={"Authorization": f"Bearer {MARK}"})
    stranger.get("/api/assistants/backup/export", headers={"Authorization": f"Bearer {viewer}"})
    stranger.post("/sign-in", data={"username": "Ada", "password": MARK})
    rows = world.log(before)
    assert [(row["act"], row["who_name"], row["thing_name"]) for row in rows] == [
        (Act.SIGN_IN_REFUSED, None, "Ada"),
        (Act.SIGN_IN_REFUSED, None, None),
        (Act.REQUEST_REFUSED, None, None),
        (Act.REQUEST_REFUSED, "viewer", None),
    ]
    world.done |= {"auth.sign_in"}


def test_every_act_has_its_entry_and_no_secret_is_in_it(world: World, folder: Path, tmp_path: Path) -> None:
    token = add_token(world.app)
    before = world.last()
    sign_in(world.client, "Ada", f"{PASSWORD} {MARK}")
    world.expect(before, Act.SIGN_IN)
    do_assistants(world, token)
    do_backups(world, token)
    do_imports(world, token)
    do_settings(world)
    do_refusals(world)
    do_people(world)
    exports = [world.client.get(f"/activity/export?format={each}").text for each in ("csv", "json")]
    do_commands(world, tmp_path)
    do_tasks(world)

    rules = list(world.app.url_map.iter_rules())
    writing = {rule.endpoint for rule in rules if (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}} | DOWNLOADS
    assert writing - world.done - NO_ACT - ELSEWHERE - {"auth.setup"} == set()
    commands = {" ".join(path) for path in leaves(world.app.cli)} - COMMANDS_WITHOUT_ACT - COMMANDS_ELSEWHERE
    assert commands - {"setup-code", "run", "shell", "routes"} - world.done == set()
    assert {key for row in world.log() for key in json.loads(row["details"])} <= DETAILS.keys()  # Each has words.
    for text in (json.dumps(world.log()), *exports):
        assert MARK not in text
    with world.app.app_context(), db.engine.connect() as connection:
        assert not audit.find_faults(connection)


def leaves(group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, *above, name)
        else:
            yield *above, name
