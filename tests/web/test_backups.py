"""The pages of backups, as a browser without scripts uses them."""

import gzip
import hashlib
import json
import re
import resource
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from tests.factories import make_record, store
from tests.people import add_person, close, sign_in
from tests.web.conftest import PARTIAL, Browser, soup, words
from webadmin import backups, catalogue
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.backups import BackupFact
from webadmin.db import transaction


def make(app: Flask, **options) -> str:
    with app.app_context():
        return backups.create(SYSTEM, **options).name


def rows(page):
    return [words(row) for row in page.select("#history tbody tr")]


def test_backing_up_now_shows_the_verified_file_on_top(app, browser):
    store(app, make_record())
    answer = browser.post("/backups")
    assert (answer.status_code, answer.location) == (303, "/backups")
    page = browser.settled("/backups")
    [row] = rows(page)
    assert all(word in row for word in ("Manual", "Ada", "Verified", "Today")), row
    assert "Backup made and verified: 1 record" in words(page.select_one("#toasts"))


def test_page_without_backups_says_when_the_first_runs(browser):
    page = browser.page("/backups")
    assert "No backups yet. The first runs at 02:00" in words(page)
    assert page.select("#history form[action='/backups']")


def test_tabs_show_one_kind_each_with_its_count(app, browser):
    make(app, reason="manual")
    make(app, reason="safety")
    page = browser.page("/backups")
    assert [words(tab) for tab in page.select(".tabs a")] == [
        "All 2", "Automatic 0", "Manual 1", "Safety 1", "Uploaded 0",
    ]  # fmt: skip
    [row] = rows(browser.page("/backups?kind=safety"))
    assert "Safety" in row


def test_older_backups_are_on_the_next_page(app, browser, folder):
    name = make(app)
    content = (folder / "backups" / name).read_bytes()
    for number in range(30):
        (folder / "backups" / f"assistants_backup_copy{number:02}.json").write_bytes(content)
    first = browser.page("/backups")
    assert len(rows(first)) == 25
    second = browser.page(first.select_one("[rel=next]")["href"])
    assert (len(rows(second)), second.select_one("[rel=next]")) == (6, None)
    assert second.select_one("[rel=prev]")["href"] == "/backups"


def test_file_put_into_the_folder_is_listed_and_one_taken_out_is_missing(app, browser, folder):
    name = make(app)
    (folder / "backups" / "assistants_backup_by_hand.json").write_text("[]")
    browser.page("/backups")
    (folder / "backups" / name).unlink()
    listed = rows(browser.page("/backups"))
    assert any("by_hand" in row and "Uploaded" in row and "Not checked" in row for row in listed)
    assert any(name in row and "Missing" in row for row in listed)
    assert "not in the folder any more" in words(browser.page(f"/backups/{name}"))


def test_failed_run_is_a_row_with_its_cause(app, browser, folder):
    store(app, make_record(prompt="x" * 3_000_000))
    with closing(sqlite3.connect(folder / "assistants.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        browser.post("/backups")
        page = browser.settled("/backups")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    [row] = rows(page)
    assert all(word in row for word in ("The disk is full", "Manual", "Failed", "Free some space")), row
    assert not page.select("#history tbody a")


def test_detail_proves_the_file_and_gives_the_command_to_check_it(app, browser, folder):
    store(app, make_record(), make_record("ast_2", status="draft"))
    name = make(app)
    page = browser.page(f"/backups/{name}")
    text = words(page)
    digest = hashlib.sha256((folder / "backups" / name).read_bytes()).hexdigest()
    assert "This file can be restored" in text
    assert digest in text
    assert f"sed '$d' {name} | sha256sum" in text
    assert "Published 1" in text
    assert "Draft 1" in text


def test_how_long_a_restore_takes_is_told_from_the_time_of_the_rebuild(app, browser):
    store(app, make_record())
    name = make(app)
    with app.app_context(), transaction() as session:
        session.get(BackupFact, name).rebuild_seconds = 6.5
    assert "Restoring it takes about 19 s." in words(browser.page("/backups"))
    assert "Restoring takes about 19 s" in words(browser.page(f"/backups/{name}"))


def test_lock_of_another_program_keeps_no_page_waiting(make_config, folder):
    built = create_app(make_config(DB_TIMEOUT="600000"))
    add_person(built, "Ada")
    client = built.test_client()
    sign_in(client, "Ada")
    make(built)
    (folder / "backups" / "assistants_backup_by_hand.json").write_text("[]")
    with closing(sqlite3.connect(folder / "assistants.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        page = Browser(client).page("/backups")
        other.execute("ROLLBACK")
    assert any("assistants_backup_by_hand.json" in str(row) for row in page.select("#history tbody tr"))
    close(built)


def test_file_that_vanished_is_told_on_every_page_that_names_it(app, browser, folder):
    store(app, make_record())
    name, other = make(app), make(app)
    (folder / "backups" / name).unlink()
    page = browser.page("/backups")
    assert f"Files of ours vanished without our doing: 1, such as {name}." in words(page)
    assert any("Missing" in row for row in rows(page))
    assert "Missing" in words(browser.page(f"/backups/{name}"))
    for address in (f"/backups/{name}/download", f"/backups/{name}/restore"):
        assert browser.get(address).status_code == 404
    assert browser.post(f"/backups/{name}/verify").status_code in (303, 404)
    browser.post(f"/backups/{name}/delete")
    left = browser.settled("/backups")
    assert "vanished" not in words(left)
    assert [other in str(row) for row in left.select("#history tbody tr")] == [True]


def test_file_that_another_program_writes_is_told(app, browser, folder):
    make(app)
    stamp = (datetime.now(UTC) + timedelta(milliseconds=5)).isoformat(timespec="milliseconds")
    document = f'{{"exportedAt":"{stamp}","count":0,"assistants":[]}}'
    (folder / "backups" / "assistants_backup_theirs.json").write_text(document)
    time.sleep(0.01)
    assert "Another program writes here too: 1 files" in words(browser.page("/backups"))


def test_download_is_the_file_byte_for_byte(app, browser, folder):
    store(app, make_record())
    name = make(app)
    answer = browser.get(f"/backups/{name}/download")
    data = (folder / "backups" / name).read_bytes()
    assert answer.data == data
    assert int(answer.headers["Content-Length"]) == len(data)
    assert name in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/backups/secret-key", "/backups/..%2Fsecret-key/download", "/backups/x.json/delete"])
def test_what_is_no_backup_is_404(browser, path):
    assert browser.get(path).status_code == 404


def test_verify_finds_a_changed_byte(app, browser, folder):
    store(app, make_record())
    name = make(app)
    path = folder / "backups" / name
    path.write_bytes(path.read_bytes().replace(b"Code Reviewer", b"Code Reviewes"))
    browser.post(f"/backups/{name}/verify")
    page = browser.settled(f"/backups/{name}")
    assert "changed after it was made" in words(page)


def test_verify_proves_a_file_that_was_put_there(app, browser, folder):
    name = make(app)
    copy = "assistants_backup_copy.json"
    (folder / "backups" / copy).write_bytes((folder / "backups" / name).read_bytes())
    browser.post(f"/backups/{copy}/verify")
    assert "This file can be restored" in words(browser.settled(f"/backups/{copy}"))


def test_deleting_asks_then_goes_to_the_bin_and_comes_back(app, browser):
    gone, _kept = make(app), make(app)
    question = browser.page(f"/backups/{gone}/delete")
    assert "It stays in the bin for 7 days. 1 other remains." in words(question)
    answer = browser.submit(question.select_one("main form[action$='/delete']"))
    assert answer.status_code == 303
    assert gone not in " ".join(rows(browser.page("/backups")))
    bin_page = browser.page("/backups/bin")
    assert gone in words(bin_page)
    browser.submit(bin_page.select_one("main form"))
    assert gone in " ".join(rows(browser.page("/backups")))


def test_only_verified_backup_cannot_be_deleted(app, browser):
    name = make(app)
    question = browser.page(f"/backups/{name}/delete")
    assert "only verified backup" in words(question)
    assert question.select("main form[action='/backups']")
    assert browser.post(f"/backups/{name}/delete").status_code == 409
    assert name in " ".join(rows(browser.page("/backups")))


def test_question_opens_alone_in_the_dialog(app, browser):
    make(app)
    part = browser.get(f"/backups/{make(app)}/delete", headers=PARTIAL).text
    assert "<html" not in part
    assert "<h1" in part


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_upload_is_kept_without_being_restored(app, browser, document, pack):
    content = pack(json.dumps(document(3)).encode())
    answer = browser.upload(content, "market.json", "/backups/upload")
    assert answer.status_code == 303, answer.text
    [row] = rows(browser.page("/backups"))
    assert all(word in row for word in ("market.json", "Uploaded", "3", "Not checked")), row
    assert browser.get(f"{answer.location}/download").data == json.dumps(document(3)).encode()
    assert "Add your first assistant" in words(browser.page("/"))


def test_upload_that_is_no_backup_is_refused_in_words(browser, folder):
    answer = browser.upload(b"hello", path="/backups/upload")
    assert "does not begin like a JSON document" in words(soup(answer, 422))
    assert not list((folder / "backups").glob("*.json"))
    assert not [path for path in (folder / ".incoming").iterdir() if path.suffix == ".upload"]


def test_too_large_upload_answers_413_in_words(make_config, document):
    small = create_app(make_config(MAX_UPLOAD_SIZE="2000"))
    try:
        add_person(small, "Ada")
        browser = Browser(small.test_client())
        sign_in(browser.client, "Ada")
        answer = browser.upload(document(100), path="/backups/upload")
        assert "the limit is 2" in words(soup(answer, 413))
    finally:
        close(small)


def test_schedule_names_the_next_three_runs(browser):
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with time_machine.travel(now, tick=True):
        text = words(browser.page("/backups"))
    assert "Every day at 02:00" in text
    assert all(day in text for day in ("Mon 2 Mar 02:00", "Tue 3 Mar 02:00", "Wed 4 Mar 02:00"))


def test_what_retention_deletes_is_said_days_before(app, browser):
    now = datetime.now(UTC)
    for ago in range(40, 25, -1):
        with time_machine.travel(now - timedelta(days=ago), tick=True):
            make(app)
    page = browser.page("/backups")
    card = next(each for each in page.select(".card") if words(each).startswith("What will be deleted"))
    assert "Today" in words(card)
    assert "The newest 7 verified backups" in words(card)


def test_running_task_is_the_first_thing_in_the_list_and_the_button_says_so(app, browser):
    from webadmin import jobs
    from webadmin.errors import Message

    def work(progress):
        while True:
            progress.update("writing", 842, 1284)
            progress.check_cancelled()

    with app.app_context():
        job = jobs.start("backup", SYSTEM, work, title=Message("Manual backup"))
    try:
        page = browser.page("/backups")
        assert "Manual backup" in words(page.select_one("#running"))
        assert page.find("button", disabled=True).text.strip() == "Running…"
        assert page.select_one("noscript meta[http-equiv=refresh]")
        part = browser.get(f"/backups/running?job={job.id}", headers=PARTIAL).text
        assert 'max="1284"' in part
    finally:
        browser.post(f"/jobs/{job.id}/cancel")
        with app.app_context():
            jobs.wait(job.id, 10)
    ended = browser.get(f"/backups/running?job={job.id}", headers=PARTIAL).text
    assert 'hx-trigger="load"' in ended
    assert "Nothing was changed" in ended


def test_names_with_odd_characters_are_addresses(app, browser, folder: Path):
    name = "assistants_backup_a b?c#d%.json"
    (folder / "backups").mkdir(exist_ok=True)
    (folder / "backups" / name).write_text("[]")
    link = browser.page("/backups").select_one("#history a.entry-title")["href"]
    assert name in words(browser.page(link))


def test_the_menu_of_a_row_is_read_when_opened(app, browser):
    name = make(app)
    page = browser.page("/backups")
    assert len(page.select("#history [name=csrf_token]")) == 1
    link = page.select_one("#history .c-actions [hx-get]")
    assert link["href"] == link["hx-get"] == f"/backups/{name}"
    assert browser.page(link["href"]).select_one("main .danger")
    menu = soup(browser.get(link["hx-get"], headers=PARTIAL))
    assert menu.select_one("details[open] summary[autofocus]")
    assert [words(each) for each in menu.select("button, a")] == [
        "Compare",
        "Verify",
        "Copy checksum",
        "Pin…",
        "Delete…",
    ]


def test_a_page_of_backups_stays_under_60_kb(app, browser):
    for _ in range(30):
        make(app)
    answer = browser.get("/backups", headers={"Accept-Language": "zh-CN"})
    assert len(soup(answer).select("#history tbody tr")) == 25
    assert len(answer.data) < 60_000


@pytest.fixture
def torn(app, browser, folder):
    """A backup of ten assistants of which three quarters are left, verified again; its name."""
    store(app, *(make_record(f"ast_{number}", title=f"Assistant {number}") for number in range(10)))
    name = make(app)
    path = folder / "backups" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    browser.post(f"/backups/{name}/verify")
    browser.settled(f"/backups/{name}")
    return name


def test_a_failed_proof_says_where_and_how_much_can_still_be_read(app, browser, torn):
    good = make(app)
    page = browser.page(f"/backups/{torn}")
    said = words(page.select_one("main"))
    assert "This file cannot be restored." in said
    assert "it was cut short" in said
    assert "7 of 10 records can be read." in said
    assert page.select_one(f"a[href='/backups/{good}']") is not None
    assert "Restore…" not in said
    row = next(each for each in browser.page("/backups").select("#history tbody tr") if torn in str(each))
    assert [words(each) for each in row.select(".btn.small:not(.icon-only)")] == ["Why?"]


def test_bar_of_a_day_with_an_altered_backup_is_not_that_of_a_good_one(app, browser, torn):
    make(app)
    page = browser.page("/backups").select_one("main")
    [said] = re.findall(r"2 backups, the largest [^,]+, (\w+)", words(page))[:1]
    assert said.lower() != "verified"


def test_checksum_of_an_altered_backup_is_said_to_be_the_one_noted(app, browser, folder):
    store(app, make_record(title="Before"))
    name = make(app)
    whole = "Checksum (SHA-256) of the file"
    assert whole in words(browser.page(f"/backups/{name}").select_one("main"))
    path = folder / "backups" / name
    path.write_bytes(path.read_bytes().replace(b"Before", b"Behind"))
    browser.post(f"/backups/{name}/verify")
    browser.settled(f"/backups/{name}")
    said = words(browser.page(f"/backups/{name}").select_one("main"))
    assert "Checksum (SHA-256) noted when the file was made or uploaded" in said
    assert whole not in said


def test_what_can_be_read_of_a_damaged_file_is_imported_by_choice(app, browser, torn):
    with app.app_context(), transaction() as session:
        for number in range(10):
            catalogue.remove(session, SYSTEM, f"ast_{number}", version=1)
    form = browser.page(f"/backups/{torn}").select_one("main form[action='/import/backup']")
    assert words(form) == "Import what can be read…"
    page = browser.settled(browser.submit(form).location)
    assert "7 changes to review" in words(page)
    assert "no checksum" in words(page)


def test_a_damaged_file_is_kept_for_rescue_from_retention(app, browser, torn):
    form = browser.page(f"/backups/{torn}").select_one(f"main form[action='/backups/{torn}/pin']")
    assert words(form) == "Keep it for rescue"
    browser.submit(form)
    page = browser.page(f"/backups/{torn}")
    assert "Kept until it is unpinned" in words(page)
    assert "kept for rescue" in words(page)
    assert page.select_one(f"main form[action='/backups/{torn}/pin']") is None


def test_what_is_inside_is_told_from_the_proof(app, browser):
    store(
        app,
        make_record("a", author="marta", status="draft", updated_at="2026-03-01T10:30:00.000Z"),
        make_record("b", author="lin", status="published", created_at="2026-01-15", updated_at=None),
    )
    card = next(
        each for each in browser.page(f"/backups/{make(app)}").select(".card") if "What is inside" in words(each)
    )
    assert "Draft 1" in words(card)
    assert "Authors 2" in words(card)
    assert "Newest edit 1 Mar" in words(card)
