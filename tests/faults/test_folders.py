"""Folders that cannot be used, and what lies in them that is no file: nothing hangs, is followed or kept quiet."""

from __future__ import annotations

import os
import socket
from contextlib import closing, suppress

import httpx
import pytest

from tests.backups.conftest import root_like_anybody
from tests.people import PASSWORD, session_token
from tests.sites import Site
from tests.test_one_at_a_time import signed_in
from tests.web.conftest import soup, words
from webadmin import backups, catalogue, clock, diagnostics, runtime, snapshots
from webadmin.accounts import SCHEDULER, SYSTEM
from webadmin.db import db, transaction
from webadmin.errors import Unavailable
from webadmin.safety import Color, State, decide, gather
from webadmin.scheduler import Scheduler

PAGES = ("/", "/assistants", "/backups", "/health", "/settings/retention")
NAME = "assistants_backup_odd.json"


@pytest.fixture
def site(app):
    """An application with one assistant and one backup."""
    with app.app_context():
        with transaction() as session:
            catalogue.create(session, SYSTEM, {"title": "One", "desc": "1", "emoji": "1", "prompt": "p"})
        backups.create(SYSTEM)
    return app


@pytest.fixture
def stored(site, folder):
    """The folder of its backups."""
    yield folder / "backups"
    (folder / "backups").chmod(0o700)


def post(browser, path, **fields):
    token = session_token(browser)
    return browser.post(path, data={"csrf_token": token, **fields}, follow_redirects=True)


def make_two(browser):
    return post(browser, "/assistants/new", title="Two", desc="2", emoji="2", prompt="p").status_code


def state():
    return decide(gather()).state


def findings():
    return {check.code: check for check in diagnostics.run_checks()}


def back_up_by_itself():
    with suppress(backups.FolderReadOnly):
        return backups.run_scheduled(clock.now())


class TestReadOnlyFolder:
    @pytest.fixture(autouse=True)
    def read_only(self, stored):
        stored.chmod(0o500)
        with root_like_anybody():
            yield

    def test_reading_and_downloads_go_on(self, stored, ada):
        [name] = [path.name for path in stored.glob("*.json")]
        answers = {page: ada.get(page, buffered=True).status_code for page in (*PAGES, f"/backups/{name}/download")}
        assert set(answers.values()) == {200}, answers

    def test_backup_is_refused_in_words_and_the_rest_is_saved(self, ada):
        assert "The backup folder cannot be used." in words(soup(post(ada, "/backups")))
        assert make_two(ada) == 200
        assert "Two" in words(soup(ada.get("/assistants")))

    def test_automatic_backup_that_fails_is_told_at_once_and_made_when_it_can_be(self, site, stored):
        with site.app_context():
            Scheduler(site).beat()
            back_up_by_itself()
            assert state() is State.LAST_FAILED
            stored.chmod(0o700)
            assert back_up_by_itself() is not None
            assert state() is not State.LAST_FAILED

    def test_doctor_names_it(self, site, stored):
        with site.app_context():
            found = findings()["folders"]
        assert found.state is diagnostics.CheckState.BAD
        assert str(stored) in str(found.fact)


def test_folder_that_may_not_even_be_read_leaves_the_catalogue_usable(site, stored, ada):
    stored.chmod(0)
    with root_like_anybody():
        assert ada.get("/assistants", buffered=True).status_code == 200
        assert make_two(ada) == 200
        assert "The backup folder cannot be used." in words(soup(ada.get("/backups", buffered=True), 503))
        with site.app_context():
            back_up_by_itself()
            assert findings()["folders"].state is diagnostics.CheckState.BAD
            assert decide(gather()).color is Color.BAD
    stored.chmod(0o700)
    with site.app_context():
        assert state() is State.LAST_FAILED


def make_socket(path):
    # The address of a socket has room for some hundred bytes, less than the path of a test's folder may take.
    here = os.open(path.parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


def link_to(target):
    return lambda path: path.symlink_to(path.parent / target)


ODD = {
    "folder": os.mkdir,
    "pipe": os.mkfifo,
    "socket": make_socket,
    "link elsewhere": lambda path: path.symlink_to("/etc/passwd"),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "dangling link": link_to("nothing"),
    "link to itself": link_to("assistants_backup_link_to_itself.json"),
    "link to the folder": link_to("."),
}


def test_what_is_no_file_is_told_and_left_alone(site, stored, ada):
    names = {kind: f"assistants_backup_{kind.replace(' ', '_')}.json" for kind in ODD}
    for kind, make in ODD.items():
        make(stored / names[kind])
    before = {name: (stored / name).lstat() for name in names.values()}
    for name in names.values():
        asked = {path: ada.get(f"/backups/{name}{path}", buffered=True).status_code for path in ("", "/download")}
        asked |= {path: post(ada, f"/backups/{name}/{path}").status_code for path in ("verify", "delete", "pin")}
        asked["restore"] = post(ada, "/import/backup", name=name).status_code
        assert set(asked.values()) == {404}, (name, asked)
    assert min(names.values()) in words(soup(ada.get("/backups")))
    with site.app_context():
        found = findings()["backup-folder"]
        assert found.state is diagnostics.CheckState.WARN
        assert min(names.values()) in str(found.fact)
        assert set(backups.verify_all()) == {backups.State.VERIFIED}
        backups.prune(SCHEDULER)
        assert back_up_by_itself() is not None
    after = {name: (stored / name).lstat() for name in names.values()}
    assert {n: (s.st_ino, s.st_mode) for n, s in after.items()} == {n: (s.st_ino, s.st_mode) for n, s in before.items()}


def test_link_to_a_backup_counts_as_no_second_one(site, stored):
    [made] = stored.glob("*.json")
    (stored / NAME).symlink_to(made)
    with site.app_context():
        assert backups.names_by_time() == [made.name]


def test_folder_named_like_a_leftover_keeps_no_backup_from_being_made(site, stored):
    (stored / ".tmp-folder").mkdir()
    (stored / ".tmp-file").touch()
    with site.app_context():
        assert backups.create(SYSTEM).is_verified
    assert [path.name for path in stored.glob(".tmp-*")] == [".tmp-folder"]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("/etc/passwd")])
def test_something_in_place_of_the_lock_hangs_nothing_and_is_refused_in_words(stored, ada, make):
    (stored / ".lock").unlink()
    make(stored / ".lock")
    for answer in (ada.get("/backups", buffered=True), post(ada, "/backups")):
        assert answer.status_code in (200, 503)
        assert "our side" not in answer.text
    assert "root:" not in answer.text


def test_snapshot_takes_the_place_of_no_link(site, tmp_path):
    target = tmp_path / "mine"
    target.write_text("mine")
    with site.app_context():
        taken = snapshots.take()
        for path in (snapshots.folder() / taken.name, snapshots.folder() / f"{taken.name}.sha256"):
            path.unlink()
            path.symlink_to(target)
        for _ in range(2):
            with suppress(OSError):
                snapshots.take()
    assert target.read_text() == "mine"


@pytest.mark.parametrize("is_cut", [True, False])
def test_file_that_is_cut_or_replaced_during_its_download_keeps_nobody_waiting(tmp_path, is_cut):
    site = Site(tmp_path)
    site.flask("user", "add", "ada", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    path = site.backups / NAME
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    content = b'{"assistants": [' + b" " * 30_000_000 + b"]}"
    path.write_bytes(content)
    try:
        server = site.serve()
        received = b""
        with closing(signed_in(server)) as browser, browser.stream("GET", f"/backups/{NAME}/download") as answer:
            chunks = answer.iter_raw(65536)
            received += next(chunks)
            if is_cut:
                os.truncate(path, 1_000_000)
            else:
                path.with_suffix(".new").write_bytes(b"[]")
                path.with_suffix(".new").rename(path)
            with suppress(httpx.RemoteProtocolError):
                for chunk in chunks:
                    received += chunk
        assert received == content or (is_cut and len(received) < len(content))
        assert httpx.get(f"{server.url}/healthz", timeout=10).status_code == 200
    finally:
        site.close()


@pytest.mark.parametrize("name", ["assistants.db", "runtime.db"])
def test_file_that_may_be_written_again_is_written_by_connections_from_before_too(site, folder, name):
    def write():
        if name == "runtime.db":
            runtime.current().write("DELETE FROM calls")
        else:
            with transaction() as session:
                catalogue.create(session, SYSTEM, {"title": "Two", "desc": "2", "emoji": "2", "prompt": "p"})

    # SQLite takes up a descriptor that is still open, so none may have been closed beside the one that stays.
    with site.app_context():
        db.session.remove()
        db.engine.dispose()
    with site.app_context(), db.engine.connect():
        runtime.current().write("DELETE FROM calls")
        (folder / name).chmod(0o400)
        runtime.current().close()
        with root_like_anybody():
            for _ in range(2):
                with pytest.raises(Unavailable):
                    write()
            # One that is opened meanwhile can only read.
            if name == "assistants.db":
                assert catalogue.count_trash(db.session()) == 0
                db.session.remove()
        (folder / name).chmod(0o600)
        write()
