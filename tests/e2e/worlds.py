"""Sites in a known state, each built once for a worker: the screens of `screens.py` are looked at on them."""

from __future__ import annotations

import json
import resource
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import werkzeug.exceptions
from flask import Flask

from tests.e2e.serving import served
from tests.factories import make_record, store
from tests.people import add_person, close, sign_in
from tests.web.conftest import Browser
from webadmin import (
    access,
    accounts,
    backups,
    catalogue,
    clock,
    damage,
    jobs,
    notifications,
    recovery,
    runtime,
    snapshots,
)
from webadmin.accounts import SYSTEM, Permission
from webadmin.app import create_app
from webadmin.backups import Kind
from webadmin.config import Config
from webadmin.db import transaction
from webadmin.errors import DomainError, Message, Unavailable
from webadmin.notifications import Destination

LONG = "An assistant whose title goes on for longer than any line of the list is wide, and then some more"

PEOPLE = {"admin": "Ada", "reviewer": "Rita", "editor": "Ed", "viewer": "Vic"}


@dataclass
class World:
    """A served site, what is where in it (`names`), and the sessions of its people by their roles."""

    app: Flask
    folder: Path
    url: str = ""
    sessions: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def session(self, role: str = "admin") -> str:
        """The cookie of somebody with this role, who is added when first asked for."""
        if role not in self.sessions:
            client, name = self.app.test_client(), PEOPLE[role]
            add_person(self.app, name, role=role)
            sign_in(client, name)
            self.sessions[role] = client.get_cookie("aa_session").value
        return self.sessions[role]

    def browser(self) -> Browser:
        """Ada without scripts."""
        client = self.app.test_client()
        client.set_cookie("aa_session", self.session())
        return Browser(client)


@contextmanager
def build(name: str, folder: Path) -> Iterator[World]:
    """The site called `name` (a key of `WORLDS`), served until the block ends."""
    places = {"DATABASE_PATH": str(folder / "assistants.db"), "DATABASE_BACKUP_DIR": str(folder / "backups")}
    fixed = {"LOG_DIR": str(folder / "logs"), "TIMEZONE": "UTC", "MAX_UPLOAD_SIZE": "1MiB"}
    if name == "busy":
        fixed |= {"AUTO_BACKUP_TIME": "03:00", "AUTO_BACKUP_DAYS": "mon,fri"}
        fixed |= {"WEBHOOK_URL": "http://localhost:9/hook", "WEBHOOK_SECRET": "a secret of some length"}
    with pytest.MonkeyPatch.context() as environment:
        if name == "dev":
            environment.setenv("FLASK_DEBUG", "1")
        app = create_app(Config.load(places | fixed, env_file=None))
    world = World(app, folder)
    with pytest.MonkeyPatch.context() as rows:
        _add_failing_pages(app, rows)
        end = WORLDS[name](world)
        with served(app) as world.url:
            yield world
    if end:
        end()
    close(app)


def document(*records: dict[str, Any], count: int | None = None) -> bytes:
    """A backup of the earlier system with these records."""
    times = {"createdAt": "2026-01-15T10:30:00.000Z"}
    metadata = {
        "version": "1.0.0",
        "timestamp": "2026-01-15T10:30:00.000Z",
        "recordCount": len(records) if count is None else count,
    }
    return json.dumps({"metadata": metadata, "assistants": [times | each for each in records]}).encode()


def _add_failing_pages(app: Flask, rows: pytest.MonkeyPatch) -> None:
    """`/fail/CODE` answers with that error."""
    for code in (400, 403, 404, 413, 429, 500, 503):

        def fail(code: int = code) -> None:
            raise RuntimeError if code == 500 else werkzeug.exceptions.default_exceptions[code]

        app.add_url_rule(f"/fail/{code}", f"fail_{code}", fail)
        rows.setitem(access.NEEDED, f"fail_{code}", Permission.READ)


def _new(_world: World) -> None:
    """Nobody has an account yet."""


def _empty(world: World) -> None:
    world.browser()


def _good(world: World) -> None:
    """A few assistants, some waiting; the newest backup is verified."""
    store(
        world.app,
        make_record("ast_1", status="pending"),
        make_record("ast_2", title="产品经理", desc="写需求文档", status="pending", emoji="📦"),
        make_record("ast_3", title=LONG, status="draft", is_public=False),
        make_record("ast_4", status="rejected", review_note="Name the input"),
        make_record("ast_5"),
    )
    with world.app.app_context():
        # Today's own, so that none is late whatever the time of day is.
        world.names["only"] = backups.create(SYSTEM, reason=Kind.SCHEDULED).name
        with transaction() as session:
            changed = {"desc": "Another line", "prompt": "You review code changes.\nQuote each line.", "tags": ["git"]}
            catalogue.update(session, SYSTEM, "ast_5", changed, version=1)
    world.browser()


def _full(world: World) -> None:
    """Everything that a list can show, and imports at each step."""
    store(
        world.app,
        make_record("ast_1", extra={"colour": b'"blue"'}),
        make_record("ast_2", title="产品经理", desc="写需求文档", tags=["产品", "a, b", "t" * 60], emoji="📦"),
        make_record("ast_3", title=LONG, desc=LONG * 3, status="pending", is_public=False, author="a" * 90),
        make_record("ast_4", status="rejected", review_note="Name the input"),
        make_record("a/b?c#d", title="W" * 300, prompt="p" * 3000),
        *(make_record(f"n{n:02}", title=f"Number {n:02}", status="draft") for n in range(28)),
    )
    browser = world.browser()
    _fill_backups(world, browser)
    _fill_trash(world)
    with world.app.app_context(), transaction() as session:
        token, _text = accounts.issue_token(session, SYSTEM, "chat front end", expires_days=30)
        world.names["token"] = str(token.id)
        rotated, _text = accounts.issue_token(session, SYSTEM, "script", purposes=["read", "backup"])
        accounts.rotate_token(session, SYSTEM, rotated.id, expires_days=None)
        world.names["rotated"] = str(rotated.id)
        accounts.invite(session, SYSTEM, LONG[:60])
        kept_out, _password = accounts.invite(session, SYSTEM, "前同事")
        world.names["kept_out"] = str(accounts.deactivate(session, SYSTEM, kept_out.id).id)
    for agent in ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "curl/8"):
        elsewhere = world.app.test_client()
        elsewhere.environ_base["HTTP_USER_AGENT"] = agent
        sign_in(elsewhere, "Ada")
    _upload_imports(world, browser)


def _fill_backups(world: World, browser: Browser) -> None:
    folder = world.folder / "backups"
    with world.app.app_context():
        kinds = (Kind.SAFETY, Kind.MANUAL, Kind.SCHEDULED, Kind.MANUAL)
        for name, kind in zip(("verified", "altered", "missing", "binned"), kinds, strict=True):
            world.names[name] = backups.create(SYSTEM, reason=kind).name
        backups.delete(SYSTEM, world.names["binned"])
        world.names["pinned"] = backups.create(SYSTEM, note="before the autumn clean-up").name
        with transaction() as session:
            backups.pin(session, SYSTEM, world.names["pinned"], is_pinned=True)
    altered = folder / world.names["altered"]
    altered.write_bytes(altered.read_bytes().replace(b"Code Reviewer", b"Code Reviewed"))
    browser.post(f"/backups/{world.names['altered']}/verify")
    (folder / world.names["missing"]).unlink()
    world.names["unchecked"] = "assistants_backup_by_hand.json"
    (folder / world.names["unchecked"]).write_text("[]")
    world.names["torn"] = "assistants_backup_torn.json"
    whole = (folder / world.names["verified"]).read_bytes()
    (folder / world.names["torn"]).write_bytes(whole[: len(whole) // 2])
    world.names["broken"] = "assistants_backup_broken.json"
    (folder / world.names["broken"]).write_text("hello")
    browser.post(f"/backups/{world.names['torn']}/verify")
    browser.page("/backups")


def _fill_trash(world: World) -> None:
    with world.app.app_context(), transaction() as session:
        for number in ("00", "01"):
            record = catalogue.get(session, f"n{number}")
            catalogue.remove(session, SYSTEM, record.id, version=record.version)
        fields = {"title": "The id again", "desc": "d", "emoji": "🤖", "prompt": "p"}
        catalogue.create(session, SYSTEM, fields, assistant_id="n00")


def _upload_imports(world: World, browser: Browser) -> None:
    plain = {"id": "ast_1", "title": "Renamed", "prompt": "new", "colour": "red"}
    bad = {"id": "bad", "prompt": "no title"}
    world.names["review"] = browser.imported(document(plain, {"id": "added", "title": LONG, "prompt": "x"}))
    world.names["decide"] = browser.imported(document(plain, bad))
    altered = (world.folder / "backups" / world.names["altered"]).read_bytes()
    world.names["changed"] = browser.imported(altered)
    world.names["refused"] = browser.imported(document(plain, count=7))
    world.names["same"] = browser.imported(browser.get("/api/assistants/backup/export").data)
    done = browser.imported(document({"id": "brought", "title": "Brought", "prompt": "x"}, bad))
    review = browser.page(f"{done}?errors=skip")
    browser.submit(review.select_one("form[action$='/apply']"))
    result = browser.settled(done)
    world.names["written"] = result.select_one("main a.primary")["href"]
    undo = result.select_one("form[action='/import/undo']")
    world.names["done"], world.names["undo"] = done, str(browser.submit(undo).location)
    browser.settled(world.names["undo"])


def _failed(world: World) -> None:
    """The disk was full when the daily backup ran; an older one is good."""
    with world.app.app_context():
        backups.create(SYSTEM)
    store(world.app, make_record(prompt="x" * 3_000_000))
    world.browser()
    with closing(sqlite3.connect(world.folder / "assistants.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with world.app.app_context(), suppress(DomainError):
            backups.create(SYSTEM, reason=Kind.SCHEDULED)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _damaged(world: World) -> None:
    """The database is noted as damaged, and a recovery is prepared: one was edited, one deleted, one added later."""
    _good(world)
    with world.app.app_context():
        snapshots.take()
        with transaction() as session:
            catalogue.update(session, SYSTEM, "ast_1", {"title": "Edited after the copy"}, version=1)
            catalogue.remove(session, SYSTEM, "ast_4", version=1)
            catalogue.create(session, SYSTEM, {"title": LONG, "desc": "d", "emoji": "🤖", "prompt": "p"})
        with closing(sqlite3.connect(world.folder / "assistants.db")) as connection:
            connection.execute("UPDATE assistants SET title=CAST(X'FF41' AS TEXT) WHERE id='ast_3'")
            connection.commit()
        damage.note(world.folder / "assistants.db", ["Tree 5 page 9: btreeInitPage() returns error code 11"])
        path = world.folder / "assistants.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name='aa_restore'").fetchone()
        content = bytearray(path.read_bytes())
        content[(root - 1) * 4096 : (root - 1) * 4096 + 300] = b"\x55" * 300
        path.write_bytes(content)
        recovery.build(SYSTEM, backups.Silent())


def _locked(world: World) -> None:
    """Another program has held the write lock for a while, as the scheduler noted."""
    world.browser()
    seen = json.dumps({"seenAt": clock.to_text(clock.now() + timedelta(hours=1))})
    with world.app.app_context():
        runtime.current().write(
            "INSERT INTO heartbeat VALUES ('write-lock', ?, ?)",
            (clock.to_text(clock.now() - timedelta(seconds=40)), seen),
        )


def _busy(world: World) -> Callable[[], None]:
    """A backup runs, and does not end by itself; another task has failed."""
    store(world.app, make_record())
    world.browser()
    go = threading.Event()

    def work(progress: Any) -> dict[str, Any]:
        progress.update("writing", 842, 1284)
        go.wait(100)
        raise OSError

    def fail(_progress: Any) -> None:
        raise Unavailable("The disk is full.", hint="Make room, then try again.")

    title = Message("Manual backup")
    with world.app.app_context():
        # Refused: it is on this machine.
        notifications.send_test(Destination.WEBHOOK)
        world.names["ended"] = jobs.wait(jobs.start("backup", SYSTEM, fail, title=title).id, 10).id
        world.names["job"] = jobs.start("backup", SYSTEM, work, title=title).id
        applied = {"step": "apply", "source": "market.json", "choice": {}}
        world.names["applied"] = jobs.start("import", SYSTEM, work, title=title, params=applied).id
    return go.set


WORLDS: dict[str, Callable[[World], Callable[[], None] | None]] = {
    "new": _new,
    "dev": _empty,
    "empty": _empty,
    "good": _good,
    "full": _full,
    "failed": _failed,
    "damaged": _damaged,
    "locked": _locked,
    "busy": _busy,
}
