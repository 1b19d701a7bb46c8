"""Tasks over real HTTP: begun without waiting, looked at, cancelled, and told truly after a kill."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time

import httpx
import pytest

from tests.sites import Site, wait_for
from webadmin.backups.folder import hold

EXPORT = "/api/assistants/backup/export"
IMPORT = "/api/assistants/backup/import"
CREATE = "/api/assistants/backup/create"
LATER = {"Prefer": "respond-async"}
JSON = {"Content-Type": "application/json"}
FIELDS = {
    "id", "kind", "state", "title", "actor", "phase", "done", "total", "cancelRequested", "createdAt", "updatedAt",
    "result", "error",
}  # fmt: skip
# Enough that its import is still under way when the next call comes.
MANY = 30_000


@pytest.fixture
def client(emptied):
    return emptied


def document(count: int) -> dict:
    return {"assistants": [{"id": f"ast_{n}", "title": "One", "prompt": "Be one."} for n in range(count)]}


def job_of(answer: httpx.Response, status: int = 200) -> dict:
    assert answer.status_code == status, answer.text
    job = answer.json()["data"]
    assert set(job) == FIELDS
    return job


def begin(client: httpx.Client, count: int) -> dict:
    """An import under way."""
    return job_of(client.post(IMPORT, content=json.dumps(document(count)), headers=JSON | LATER), 202)


def look(client: httpx.Client, job: dict) -> dict:
    return job_of(client.get(f"/api/jobs/{job['id']}"))


def end_of(client: httpx.Client, job: dict) -> dict:
    return wait_for(lambda: (seen := look(client, job))["state"] != "running" and seen)


def count(client: httpx.Client) -> int:
    return client.get(EXPORT).json()["metadata"]["recordCount"]


class TestAnswerLater:
    def test_task_is_given_at_once_and_ends_with_what_the_call_would_have_answered(self, client):
        answer = client.post(IMPORT, json=document(3), headers=LATER)
        job = job_of(answer, 202)
        assert answer.headers["Location"] == f"/api/jobs/{job['id']}"
        assert answer.headers["Preference-Applied"] == "respond-async"
        assert (job["kind"], job["actor"], job["error"]) == ("direct-import", "tests", None)
        done = end_of(client, job)
        assert (done["state"], done["cancelRequested"], done["error"]) == ("done", False, None)
        waited = client.post(IMPORT, json=document(3)).json()["data"]
        assert set(done["result"]) == set(waited)
        assert (done["result"]["created"], waited["unchanged"]) == (3, 3)
        assert count(client) == 3

    def test_result_of_a_backup_is_its_row(self, client, site):
        before = set(site.backup_names())
        done = end_of(client, job_of(client.post(CREATE, json={"note": "later"}, headers=LATER), 202))
        row = client.get("/api/assistants/backup/list").json()["data"][0]
        assert (done["kind"], done["title"], done["result"]) == ("backup", "Manual backup", row)
        assert row["note"] == "later"
        assert set(site.backup_names()) - before == {row["filename"]}

    @pytest.mark.parametrize(
        "prefer",
        [
            "respond-async, wait=60",
            "wait=60, Respond-Async",
            'respond-async; x="a, b", wait="60"',
            "handling=lenient,wait = 60 , respond-async, wait=0",
        ],
    )
    def test_task_that_ends_within_the_wait_is_answered_as_ever(self, client, prefer):
        answer = client.post(CREATE, headers={"Prefer": prefer})
        assert answer.status_code == 201
        assert "Preference-Applied" not in answer.headers
        assert answer.json()["data"]["state"] == "verified"

    def test_wait_ends_with_its_time(self, client):
        started = time.monotonic()
        content = json.dumps(document(MANY))
        answer = client.post(IMPORT, content=content, headers=JSON | {"Prefer": "respond-async, wait=0"})
        job = job_of(answer, 202)
        assert time.monotonic() - started < 5
        client.post(f"/api/jobs/{job['id']}/cancel")
        end_of(client, job)

    @pytest.mark.parametrize(
        "prefer", ["respond-async, wait=" + "9" * 5000, "respond-async, wait=-1", "respond-async;;=,,"]
    )
    def test_wait_that_is_no_number_is_ignored(self, client, prefer):
        end_of(client, job_of(client.post(CREATE, headers={"Prefer": prefer}), 202))

    @pytest.mark.parametrize("prefer", ["respond-async=", 'respond-async="" , respond-async=false'])
    def test_an_empty_value_is_no_value(self, client, prefer):
        end_of(client, job_of(client.post(CREATE, headers={"Prefer": prefer}), 202))

    @pytest.mark.parametrize(
        "prefer",
        [
            "wait=0",
            "return=minimal",
            "",
            "respond-asynchronously",
            "respond-async=false",
            "respond-async=1, respond-async",
        ],
    )
    def test_other_preferences_wait_for_the_result(self, client, prefer):
        assert client.post(CREATE, headers={"Prefer": prefer}).status_code == 201

    def test_refusals_come_at_once(self, client, site):
        assert client.post(IMPORT, json=document(1), params={"mode": "x"}, headers=LATER).status_code == 400
        assert client.post(IMPORT, content=b"x", headers=LATER | {"Content-Type": "text/plain"}).status_code == 415
        with hold(site.backups, who="Ada", what="restore"):
            assert client.post(CREATE, headers=LATER).status_code == 503

    def test_failure_is_told_as_the_call_would_have(self, client):
        sent = {"content": b'{"assistants": [{"id": "a"}]}', "headers": JSON}
        refused = client.post(IMPORT, **sent).json()["error"]
        job = job_of(client.post(IMPORT, content=sent["content"], headers=JSON | LATER), 202)
        failed = end_of(client, job)
        assert (failed["state"], failed["result"]) == ("failed", None)
        assert failed["error"] == {name: refused[name] for name in ("code", "message", "details")}


class TestLooking:
    def test_unknown_task_is_404(self, client):
        for path in ("/api/jobs/0123456789abcdef", "/api/jobs/..%2F..", "/api/jobs/%00"):
            assert client.get(path).json()["error"]["code"] == "NOT_FOUND"
            assert client.post(f"{path}/cancel").json()["error"]["code"] == "NOT_FOUND"

    def test_parameters_and_other_methods_are_refused(self, client):
        job = end_of(client, job_of(client.post(CREATE, headers=LATER), 202))
        assert client.get(f"/api/jobs/{job['id']}", params={"wait": "1"}).status_code == 400
        assert client.delete(f"/api/jobs/{job['id']}").headers["Allow"]
        assert client.get(f"/api/jobs/{job['id']}/cancel").status_code == 405

    def test_nobody_sees_and_stops_nothing(self, client):
        job = end_of(client, job_of(client.post(CREATE, headers=LATER), 202))
        for answer in (
            httpx.get(client.base_url.join(f"/api/jobs/{job['id']}")),
            httpx.post(client.base_url.join(f"/api/jobs/{job['id']}/cancel")),
        ):
            assert answer.json()["error"]["code"] == "UNAUTHORIZED"

    def test_running_task_shows_how_far_it_is(self, client):
        job = begin(client, MANY)
        seen = wait_for(lambda: (found := look(client, job))["done"] and found)
        assert (seen["state"], seen["phase"], seen["result"]) == ("running", "reading", None)
        client.post(f"/api/jobs/{job['id']}/cancel")
        end_of(client, job)


class TestCancelling:
    def test_cancelled_import_changes_nothing(self, client, site):
        client.post(IMPORT, json=document(2))
        before = site.backup_names()
        job = begin(client, MANY)
        asked = job_of(client.post(f"/api/jobs/{job['id']}/cancel"))
        assert asked["cancelRequested"] or asked["state"] == "cancelled"
        ended = end_of(client, job)
        assert (ended["state"], ended["result"], ended["error"]) == ("cancelled", None, None)
        assert (count(client), site.backup_names()) == (2, before)
        assert [
            path.name for path in (site.data / ".incoming").iterdir() if path.suffix in (".upload", ".scratch")
        ] == []

    def test_task_that_has_ended_stays_as_it_is(self, client):
        done = end_of(client, job_of(client.post(CREATE, headers=LATER), 202))
        assert job_of(client.post(f"/api/jobs/{done['id']}/cancel")) == done


class TestKilled:
    @pytest.fixture
    def site(self, tmp_path):
        made = Site(tmp_path)
        yield made
        made.close()

    @pytest.fixture
    def token(self, site):
        return site.token()

    @pytest.fixture
    def client(self, site, token):
        with site.client(site.serve(), token) as client:
            yield client

    def test_import_in_the_middle_is_stopped_and_changed_nothing(self, client, site, token):
        client.post(IMPORT, json=document(2))
        # Nobody else may write meanwhile, so that it cannot be done before it is killed, however slow this machine.
        with contextlib.closing(sqlite3.connect(site.data / "assistants.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            job = begin(client, MANY)
            wait_for(lambda: look(client, job)["done"])
            site.servers[0].kill()
        with site.client(site.serve(), token) as again:
            seen = look(again, job)
            assert (seen["state"], count(again)) == ("stopped", 2)
            assert seen["error"]["code"] == "SERVICE_UNAVAILABLE"
            assert "nothing was changed" in seen["error"]["message"]
            assert again.post(CREATE).status_code == 201

    def test_import_that_was_written_is_done(self, client, site, token):
        job = end_of(client, begin(client, 3))
        site.servers[0].kill()
        # As if the process had died between the transaction of the catalogue and the end of the task.
        with sqlite3.connect(site.data / "runtime.db") as runtime:
            runtime.execute("UPDATE jobs SET state='running', result=NULL WHERE id=?", (job["id"],))
        runtime.close()
        with site.client(site.serve(), token) as again:
            seen = look(again, job)
            assert (seen["state"], seen["result"]) == ("done", job["result"])
