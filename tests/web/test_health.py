"""Alive and ready: open to all, and telling no secret."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from tests.people import session_token
from tests.test_safety import full_disk
from tests.web.conftest import soup, words
from webadmin import backups, catalogue, clock, config, damage, diagnostics, jobs, problems, runtime
from webadmin.accounts import SYSTEM
from webadmin.db import db, transaction
from webadmin.errors import Message


def test_a_living_process_answers(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}


def test_ready_names_each_part(client: FlaskClient, folder: Path) -> None:
    (folder / "backups").mkdir(exist_ok=True)
    answer = client.get("/api/health")
    assert answer.status_code == 200
    assert answer.json["success"] is True
    assert set(answer.json["data"]["checks"].values()) == {"ok"}


def test_a_broken_database_is_named_without_a_path(app: Flask, client: FlaskClient, folder: Path) -> None:
    (folder / "backups").mkdir(exist_ok=True)
    with app.app_context():
        db.engine.dispose()
    for file in folder.glob("assistants.db*"):
        file.unlink()
    (folder / "assistants.db").write_bytes(b"not a database at all" * 500)
    answer = client.get("/api/health")
    assert answer.status_code == 503
    error = answer.json["error"]
    assert error["code"] == "SERVICE_UNAVAILABLE"
    assert error["details"]["checks"]["database"] == "failing"
    assert error["details"]["checks"]["runtime"] == "ok"
    assert str(folder) not in answer.text


def test_page_shows_the_checks_of_doctor_with_fact_and_next_step(ada: FlaskClient) -> None:
    shown = soup(ada.get("/health"))
    rows = {each.p.text: words(each) for each in shown.select(".rows > li")}
    assert {"Disk", "Backups", "Scheduler", "Write lock", "Clock and zone", "Database file"} <= rows.keys()
    assert "MB are free" in rows["Disk"]
    assert "What to do: Run: flask backup create" in rows["Backups"]
    assert "Integrity" not in rows
    thorough = soup(ada.get("/health?all=1"))
    assert "SQLite's quick check found every page sound" in words(thorough)


def test_page_names_each_check_by_the_code_of_doctor(app: Flask, ada: FlaskClient) -> None:
    shown = {code.text for code in soup(ada.get("/health?all=1")).select("main .row-text > p + small > code")}
    with app.app_context():
        found = diagnostics.run_checks()
    # The recent problems are a card of their own.
    assert shown == {check.code for check in found} - {"problems"}


def test_health_stands_in_the_navigation(ada: FlaskClient) -> None:
    assert [words(each) for each in soup(ada.get("/")).select(".nav a[href='/health']")] == ["Health"]
    assert soup(ada.get("/health")).select(".nav a[href='/health'][aria-current=page]")


def test_damage_is_told_with_the_steps_out_of_it(app: Flask, ada: FlaskClient, folder: Path) -> None:
    damage.note(folder / "assistants.db", ["Tree 5 page 9: btreeInitPage() returns error code 11"])
    shown = soup(ada.get("/health"))
    assert shown.h1.text == "The database file is damaged"
    assert "Tree 5 page 9" in words(shown)
    assert shown.select_one("main form[action='/health/recovery'] .primary")
    assert "flask recover" in words(shown.select_one("main"))
    assert soup(ada.get("/")).select_one("#safety-pill a")["href"] == "/health"


def test_missing_file_is_not_called_damaged(app: Flask, ada: FlaskClient, folder: Path) -> None:
    (folder / "assistants.db").rename(folder / "away.db")
    shown = soup(ada.get("/health"))
    assert shown.h1.text == "The database file is missing"
    assert words(shown.select_one("#safety-pill")).startswith("Database is missing")
    said = words(shown.select_one("main .timeline"))
    assert "Export what can still be read" in said
    assert "damaged file" not in said
    evidence = next(each for each in soup(ada.get("/")).select(".evidence") if words(each).startswith("Database"))
    assert "Missing" in words(evidence)
    assert "Readable" not in words(evidence)


def test_recent_problems_are_grouped_with_their_trace(app: Flask, ada: FlaskClient) -> None:
    with app.app_context():
        problems.note("DiskFull", Message("The disk is full. Nothing was changed."))
        problems.note("DiskFull", Message("The disk is full. Nothing was changed."))
    card = next(each for each in soup(ada.get("/health")).select(".card") if "Recent problems" in words(each))
    assert "The disk is full. Nothing was changed." in words(card)
    assert "2×" in words(card)


def test_lock_of_another_program_is_told(app: Flask, ada: FlaskClient) -> None:
    now = clock.now()
    seen = json.dumps({"seenAt": clock.to_text(now)})
    with app.app_context():
        since = clock.to_text(now - timedelta(seconds=40))
        runtime.current().write("INSERT INTO heartbeat VALUES ('write-lock', ?, ?)", (since, seen))
    shown = soup(ada.get("/health"))
    assert shown.h1.text == "Another program holds the write lock"
    assert "fuser -v assistants.db" in words(shown.select_one(".timeline"))


def test_full_disk_is_told_and_goes_by_itself(ada: FlaskClient) -> None:
    ada.get("/health")
    with full_disk(1000):
        shown = soup(ada.get("/health"))
    assert shown.h1.text == "The disk is full"
    assert shown.select(".timeline a[href='/settings/retention']")
    assert not soup(ada.get("/health")).select(".timeline")


def test_full_disk_gets_room_from_the_bin_by_one_button(app: Flask, ada: FlaskClient, folder: Path) -> None:
    with app.app_context():
        first = backups.create(SYSTEM).name
        backups.create(SYSTEM)
        backups.delete(SYSTEM, first)
    token = session_token(ada)
    with full_disk(1000):
        shown = soup(ada.get("/health"))
        assert first in words(shown.select_one(".rows"))
        assert shown.select_one("form[action='/health/room'] .danger-fill")
        assert ada.post("/health/room", data={"csrf_token": token}).status_code == 303
        assert "Retention can free nothing now" in words(soup(ada.get("/health")))
    assert [each.name for each in (folder / "backups" / ".bin").glob("*.json")] == []
    assert len(list((folder / "backups").glob("assistants_backup_*.json"))) == 1


def test_task_of_ours_that_holds_the_lock_can_be_cancelled_there(app: Flask, ada: FlaskClient) -> None:
    go, seen = threading.Event(), json.dumps({"seenAt": clock.now_text()})

    def work(progress: jobs.Progress) -> None:
        go.wait(60)
        progress.check_cancelled()

    with app.app_context():
        job = jobs.start("import", SYSTEM, work, title=Message("Importing market.json"))
        since = clock.to_text(clock.now() - timedelta(seconds=40))
        runtime.current().write("INSERT INTO heartbeat VALUES ('write-lock', ?, ?)", (since, seen))
    form = soup(ada.get("/health")).select_one(f"main form[action='/jobs/{job.id}/cancel']")
    token = form.select_one("[name=csrf_token]")["value"]
    assert ada.post(form["action"], data={"csrf_token": token, "next": "/health"}).location == "/health"
    go.set()
    with app.app_context():
        assert jobs.wait(job.id, 20).state is jobs.State.CANCELLED


def test_diagnostics_hold_no_secret_and_nothing_of_an_assistant(app: Flask, ada: FlaskClient) -> None:
    with app.app_context(), transaction() as session:
        fields = {"title": "Unmistakable", "desc": "d", "emoji": "1", "prompt": "p"}
        catalogue.create(session, SYSTEM, fields, assistant_id="ast_unmistakable")
        key = (config.current().database_path.parent / "secret-key").read_text().strip()
    answer = ada.get("/health/diagnostics")
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="diagnostics_')
    assert answer.json["settings"]["TIMEZONE"] == "environment"
    assert {"code", "state", "fact", "nextStep"} == set(answer.json["checks"][0])
    for secret in (key, "nmistakable", "Ada"):
        assert secret not in answer.text


def test_health_needs_somebody_signed_in(client: FlaskClient) -> None:
    for path in ("/health", "/health/diagnostics"):
        assert client.get(path).status_code in {302, 401}
