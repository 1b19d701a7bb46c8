"""Export, list and making of backups over real HTTP."""

from __future__ import annotations

import json
import re
import threading

import httpx
import pytest

from tests.api.documents import (
    CREATE,
    EMPTY,
    EXPORT,
    IMPORT,
    JSON,
    LIST,
    NEW,
    counts,
    document,
    error,
    record,
    record_lines,
    result,
    text,
)
from webadmin.backups.folder import hold


@pytest.fixture
def client(emptied):
    return emptied


class TestExport:
    def test_it_is_a_download_of_the_whole_catalogue(self, client):
        client.post(IMPORT, json=document(record("b"), record("a", tags=["x"])))
        answer = client.get(EXPORT)
        assert answer.status_code == 200
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Cache-Control"] == "no-store"
        named = re.fullmatch(r'attachment; filename="?([^"]+)"?', answer.headers["Content-Disposition"])
        assert re.fullmatch(r"assistants_backup_\d{8}_\d{6}\.json", named[1])
        exported = answer.json()
        assert exported["metadata"]["recordCount"] == exported["integrity"]["count"] == 2
        assert [each["id"] for each in exported["assistants"]] == ["a", "b"]
        assert exported["assistants"][0]["tags"] == ["x"]

    def test_head_tells_the_size_and_sends_nothing(self, client):
        client.post(IMPORT, json=document(record("a", prompt="中" * 1000)))
        answer, whole = client.head(EXPORT), client.get(EXPORT)
        assert answer.status_code == 200
        assert answer.content == b""
        for name in ("Content-Length", "Content-Type", "Cache-Control"):
            assert answer.headers[name] == whole.headers[name]
        assert re.fullmatch(
            r"attachment; filename=assistants_backup_\d{8}_\d{6}\.json", answer.headers["Content-Disposition"]
        )

    def test_parameter_is_refused(self, client):
        refused = error(client.get(EXPORT, params={"status": "draft"}), 400, "INVALID_PARAMETER")
        assert refused["details"][0]["field"] == "status"

    def test_what_is_exported_comes_back_equal(self, client):
        odd = record("ast/ 1?", title="Ⅷ 🤖\r\n", tags=[], mine={"k": [1.50, "中"]}, rating=4.5, createdAt="2024-01-15")
        client.post(IMPORT, json=document(odd, record("b", status="published", version=7)))
        first, lines = client.get(EXPORT), record_lines(client)
        client.post(IMPORT, json=EMPTY, params={"mode": "replace", "confirmDeleteAll": "true"})
        assert counts(client.post(IMPORT, files={"file": first.content})) == {"imported": 2, "created": 2}
        assert record_lines(client) == lines
        assert counts(client.post(IMPORT, content=first.content, headers={"Content-Type": "application/json"})) == {
            "unchanged": 2
        }

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    def test_other_methods_are_named(self, client, method):
        answer = client.request(method, EXPORT)
        error(answer, 405, "METHOD_NOT_ALLOWED")
        assert {name.strip() for name in answer.headers["Allow"].split(",")} == {"GET", "HEAD", "OPTIONS"}

    def test_nobody_gets_nothing(self, server):
        answer = httpx.get(server.url + EXPORT)
        error(answer, 401, "UNAUTHORIZED")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


class TestList:
    def test_rows_tell_of_each_backup_newest_first(self, client, site):
        first = client.post(CREATE, json={"note": "  before the new prompts  "}).json()["data"]
        second = result(client.post(IMPORT, json=document(record("listed"))))["safetyBackup"]
        rows = client.get(LIST).json()["data"]
        assert [row["filename"] for row in rows[:2]] == [second, first["filename"]]
        assert rows[1] == first
        assert {row["filename"] for row in rows if row["state"] != "missing"} == set(site.backup_names())
        told = {name: rows[1][name] for name in ("note", "kind", "state", "isAuto", "isPinned", "actor", "recordCount")}
        assert told == {
            "note": "before the new prompts",
            "kind": "manual",
            "state": "verified",
            "isAuto": False,
            "isPinned": False,
            "actor": "tests",
            "recordCount": 0,
        }
        assert rows[0]["kind"] == "safety"
        assert rows[1]["fileSize"] == (site.backups / first["filename"]).stat().st_size
        assert isinstance(rows[1]["id"], int)

    def test_file_that_somebody_put_there_is_listed(self, client, site):
        path = site.backups / "assistants_backup_by-hand.json"
        path.write_bytes(text(NEW))
        rows = client.get(LIST).json()["data"]
        path.unlink()
        row = next(row for row in rows if row["filename"] == path.name)
        assert (row["kind"], row["state"], row["recordCount"], row["createdAt"]) == ("found", "unchecked", 1, None)

    def test_parameters_and_other_methods_are_refused(self, client):
        error(client.get(LIST, params={"page": "1"}), 400, "INVALID_PARAMETER")
        error(client.post(LIST), 405, "METHOD_NOT_ALLOWED")

    def test_nobody_sees_nothing(self, server):
        error(httpx.get(server.url + LIST), 401, "UNAUTHORIZED")


class TestCreate:
    def test_backup_holds_the_catalogue_and_can_be_restored(self, client, site):
        client.post(IMPORT, json=document(record("a", title="Kept")))
        lines = record_lines(client)
        answer = client.post(CREATE)
        assert answer.status_code == 201, answer.text
        row = answer.json()["data"]
        assert (row["recordCount"], row["note"], row["state"]) == (1, None, "verified")
        client.post(IMPORT, json=EMPTY, params={"mode": "replace", "confirmDeleteAll": "true"})
        client.post(IMPORT, files={"file": (site.backups / row["filename"]).read_bytes()})
        assert record_lines(client) == lines

    @pytest.mark.parametrize("body", [b"", b"{}", b'{"note": null}', b'{"note": "  "}'])
    def test_note_may_be_left_out(self, client, body):
        answer = client.post(CREATE, content=body, headers=JSON)
        assert (answer.status_code, answer.json()["data"]["note"]) == (201, None)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (b'{"note": 5}', "note"),
            (b'{"note": "a\\u0000"}', "note"),
            (b'{"note": "\\ud800"}', "note"),
            (json.dumps({"note": "x" * 2001}).encode(), "note"),
            (b'{"notes": "x"}', "notes"),
            (b'{"note": "a", "note": "b"}', None),
            (b"[]", None),
            (b"hello", None),
            (b'{"note": "\xff"}', None),
        ],
        ids=str,
    )
    def test_other_bodies_are_refused_and_make_nothing(self, client, site, body, field):
        before = site.backup_names()
        refused = error(client.post(CREATE, content=body, headers=JSON), 400, "VALIDATION_ERROR")
        if field:
            assert [each["field"] for each in refused["details"]] == [field]
        assert site.backup_names() == before

    def test_other_types_and_parameters_are_refused(self, client, site):
        before = site.backup_names()
        error(client.post(CREATE, content=b"x", headers={"Content-Type": "text/plain"}), 415, "UNSUPPORTED_MEDIA_TYPE")
        error(client.post(CREATE, params={"note": "x"}), 400, "INVALID_PARAMETER")
        error(client.get(CREATE), 405, "METHOD_NOT_ALLOWED")
        assert site.backup_names() == before

    def test_nobody_makes_nothing(self, server, site):
        before = site.backup_names()
        error(httpx.post(server.url + CREATE), 401, "UNAUTHORIZED")
        assert site.backup_names() == before


class TestOneAtATime:
    def test_refusal_says_who_does_what_since_when(self, client, site):
        with hold(site.backups, who="Ada", what="restore"):
            for answer in (client.post(CREATE), client.post(IMPORT, json=document(record("a")))):
                refused = error(answer, 503, "SERVICE_UNAVAILABLE")
                assert re.search(
                    r"restore, started by Ada at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\+00:00\.", refused["message"]
                )
                assert int(answer.headers["Retry-After"]) > 0
        assert client.post(CREATE).status_code == 201

    def test_second_import_is_told_who_runs_what(self, client):
        big = json.dumps(document(*(record(f"ast_{n}") for n in range(9000)))).encode()
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(client.post(IMPORT, files={"file": big}))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = [answer.status_code for answer in answers]
        assert 200 in statuses
        for answer in answers:
            if answer.status_code != 200:
                refused = error(answer, 503, "SERVICE_UNAVAILABLE")
                assert "tests" in refused["message"]
                assert answer.headers["Retry-After"]
