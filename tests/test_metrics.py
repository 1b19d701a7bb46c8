"""`/metrics`: read by the library's own parsers, right across processes, and closed to whoever has no token."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import time_machine
from flask import Flask
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.people import add_token
from tests.sites import Site, wait_for
from webadmin import backups, catalogue, config, jobs, metrics, notifications, safety
from webadmin.accounts import SCHEDULER, SYSTEM
from webadmin.config import PROJECT
from webadmin.db import db, transaction
from webadmin.errors import Message
from webadmin.notifications import Destination
from webadmin.scheduler import Scheduler

ELSEWHERE = {"REMOTE_ADDR": "203.0.113.7"}


def parse(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """The samples of each metric, by the values of their labels."""
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def read(app: Flask) -> dict[str, dict[tuple[str, ...], float]]:
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200, answer.text
    return parse(answer.text)


def number(found: dict[str, dict[tuple[str, ...], float]], name: str, *labels: str) -> float:
    return found[f"assistant_admin_{name}"][labels]


def fill(app: Flask, count: int = 3) -> None:
    with app.app_context(), transaction() as session:
        for each in range(count):
            fields = {"title": "One", "desc": "One.", "emoji": "1", "prompt": "Be one."}
            catalogue.create(session, SYSTEM, fields, assistant_id=f"ast_{each}")


class TestAccess:
    def test_this_machine_reads_without_a_token(self, client):
        for address in ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"):
            answer = client.get("/metrics", environ_base={"REMOTE_ADDR": address})
            assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert "Set-Cookie" not in answer.headers

    def test_elsewhere_needs_a_valid_token(self, app, client):
        token = add_token(app)
        for headers in ({}, {"Authorization": "Bearer aat_wrong"}, {"Authorization": "Basic YTpi"}):
            answer = client.get("/metrics", headers=headers, environ_base=ELSEWHERE)
            assert (answer.status_code, answer.json["error"]["code"]) == (401, "UNAUTHORIZED")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"}, environ_base=ELSEWHERE)
        assert answer.status_code == 200

    def test_token_that_is_not_valid_is_refused_here_too(self, client):
        assert client.get("/metrics", headers={"Authorization": "Bearer aat_wrong"}).status_code == 401

    @pytest.mark.parametrize(
        "header", ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via"]
    )
    def test_what_a_server_in_front_passes_on_is_not_of_this_machine(self, app, client, header):
        assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 401
        token = {"Authorization": f"Bearer {add_token(app)}"}
        assert client.get("/metrics", headers={header: "127.0.0.1", **token}).status_code == 200

    @pytest.mark.parametrize(
        ("host", "status"), [("10.0.0.5:8000", 401), ("catalogue.example.org", 400), ("localhost.example.org", 400)]
    )
    def test_another_name_than_this_machines_is_not_of_this_machine(self, client, host, status):
        assert client.get("/metrics", headers={"Host": host}).status_code == status

    def test_signed_in_people_may_look(self, ada):
        assert ada.get("/metrics", environ_base=ELSEWHERE).status_code == 200

    def test_nothing_but_reading(self, client):
        assert client.head("/metrics").status_code == 200
        assert client.post("/metrics").status_code in (401, 405)

    def test_it_is_not_counted_as_a_call(self, make_config, app):
        assert "RateLimit" not in app.test_client().get("/metrics").headers


class TestFacts:
    def test_a_fresh_site_tells_what_there_is_and_makes_nothing_up(self, app):
        found = read(app)
        assert number(found, "safety_state", "no-backup-yet") == 1
        assert sum(found["assistant_admin_safety_state"].values()) == 1
        assert set(found["assistant_admin_part_readable"].values()) == {1}
        assert sum(found["assistant_admin_assistants"].values()) == 0
        assert [name for name in found if "newest_verified" in name or "last_automatic" in name] == []
        assert found["assistant_admin_build_info"]

    def test_catalogue_and_backups(self, app):
        fill(app)
        with app.app_context():
            Scheduler(app).beat()
            made = backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
            (config.current().database_backup_dir / "assistants_backup_by_hand.json").write_text("[]")
        found = read(app)
        assert found["assistant_admin_assistants"] == {
            ("draft",): 3, ("pending",): 0, ("published",): 0, ("rejected",): 0, ("other",): 0,
        }  # fmt: skip
        assert number(found, "backups", "verified") == 1
        assert number(found, "backups", "unchecked") == 1
        assert number(found, "backup_bytes") == made.size_bytes + 2
        assert number(found, "newest_verified_backup_bytes") == made.size_bytes
        assert number(found, "newest_verified_backup_records") == 3
        assert number(found, "newest_verified_backup_timestamp_seconds") == made.made_at.timestamp()
        assert 0 <= number(found, "newest_verified_backup_age_seconds") < 60
        assert 0 <= number(found, "scheduler_heartbeat_age_seconds") < 60
        assert number(found, "last_automatic_backup_success") == 1
        assert number(found, "backup_disk_free_bytes") > 0
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=5)):
            assert number(read(app), "newest_verified_backup_age_seconds") > 5 * 3600 - 60

    def test_a_changed_byte_is_no_success_any_more(self, app):
        with app.app_context():
            made = backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
            path = config.current().database_backup_dir / made.name
            path.write_bytes(path.read_bytes().replace(b"scheduler", b"nobody..."))
            backups.verify(made.name)
        found = read(app)
        assert number(found, "backups", "altered") == 1
        assert number(found, "last_automatic_backup_success") == 0

    def test_running_tasks_and_notifications(self, app, monkeypatch):
        with app.app_context():
            notifications.send_test(Destination.HEARTBEAT)
            job = jobs.start(
                "wait", SYSTEM, lambda progress: wait_for(progress.check_cancelled, 30), title=Message("Wait")
            )
            found = read(app)
            jobs.cancel(job.id)
            wait_for(lambda: jobs.get(job.id).is_finished, 10)
        assert number(found, "jobs_running") == 1
        assert number(found, "notifications", "heartbeat", "failed") == 1
        assert number(found, "notifications", "mail", "failed") == 0

    def test_a_held_write_lock_is_waited_for_shortly_and_told(self, app, monkeypatch):
        monkeypatch.setattr(metrics, "_LONGEST_WAIT_SECONDS", 0.1)
        assert number(read(app), "write_lock_wait_seconds") < 0.1
        with app.app_context():
            path = config.current().database_path
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            found = read(app)
            other.execute("ROLLBACK")
        assert number(found, "write_lock_wait_seconds") == 0.1
        assert set(found["assistant_admin_part_readable"].values()) == {1}

    def test_what_cannot_be_read_is_named_and_the_rest_stands(self, app):
        fill(app)
        with app.app_context():
            backups.create(SYSTEM)
            db.engine.dispose()
            path = config.current().database_path
            path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
            path.write_bytes(b"This is no database at all." * 500)
            safety.forget()
            found = read(app)
        assert number(found, "part_readable", "catalogue") == 0
        assert number(found, "part_readable", "jobs") == 1
        assert number(found, "safety_state", "damaged") == 1
        assert "assistant_admin_assistants" not in found

    def test_a_lost_database_is_not_made_anew(self, app):
        with app.app_context():
            path = config.current().database_path
            db.engine.dispose()
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink()
        assert number(read(app), "part_readable", "write_lock") == 0
        assert not path.exists()


def test_both_formats_are_whole(app):
    fill(app)
    with app.app_context():
        backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
    answer = app.test_client().get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = {family.name: family for family in openmetrics.text_string_to_metric_families(answer.text)}
    assert set(families) == set(read(app))
    assert [name for name, family in families.items() if not family.documentation] == []


def test_documents_name_every_metric_and_no_other(app):
    text = (PROJECT / "docs" / "configuration.md").read_text(encoding="utf-8").partition("\n## Metrics")[2]
    named = set(re.findall(r"\bassistant_admin_[a-z_]+", text.partition("\n## ")[0]))
    with app.app_context():
        Scheduler(app).beat()
        backups.create(SCHEDULER, reason=backups.Kind.SCHEDULED)
    assert named == set(read(app))


def test_two_processes_tell_the_same_and_believe_no_server_in_front(tmp_path):
    site = Site(tmp_path)
    try:
        first, second = site.serve(), site.serve()
        site.flask("backup", "create")
        wait_for(lambda: "scheduler_heartbeat" in httpx.get(f"{first.url}/metrics").text, 30)
        told = [parse(httpx.get(f"{server.url}/metrics").raise_for_status().text) for server in (first, second)]
        passing = ("age_seconds", "wait_seconds", "free_bytes", "heartbeat_timestamp_seconds")
        steady = [{n: v for n, v in each.items() if not n.endswith(passing)} for each in told]
        assert steady[0] == steady[1]
        assert number(told[0], "backups", "verified") == 1
        answer = httpx.get(f"{first.url}/metrics", headers={"X-Forwarded-For": "198.51.100.1"})
        assert answer.status_code == 401
        with site.client(first) as client:
            assert client.get("/metrics", headers={"X-Forwarded-For": "198.51.100.1"}).status_code == 200
    finally:
        site.close()
