"""Import over real HTTP: every option, every bad input, and that a refusal changes nothing."""

from __future__ import annotations

import gzip
import http.client
import json
from urllib.parse import urlsplit

import httpx
import pytest

from tests.api.documents import (
    COUNTS,
    EXPORT,
    FORM,
    GOOD,
    IMPORT,
    JSON,
    NEW,
    counts,
    document,
    error,
    record,
    record_lines,
    result,
    text,
)

LIMIT = 2_000_000
SETTINGS = {"MAX_UPLOAD_SIZE": str(LIMIT)}


@pytest.fixture
def client(emptied):
    return emptied


def form_body(boundary: str, content: bytes) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="b.json"\r\n'
    kind = "Content-Type: application/json; charset=utf-8\r\n\r\n"
    return (head + kind).encode() + content + f"\r\n--{boundary}--\r\n".encode()


class TestImport:
    @pytest.mark.parametrize("way", ["multipart", "json", "gzip file", "gzip body", "gzip encoding"])
    def test_every_way_of_sending_is_taken(self, client, way):
        plain = json.dumps(document(record())).encode()
        packed = gzip.compress(plain)
        answer = {
            "multipart": lambda: client.post(IMPORT, files={"file": ("b.json", plain)}),
            "json": lambda: client.post(
                IMPORT, content=plain, headers={"Content-Type": "application/json; charset=utf-8"}
            ),
            "gzip file": lambda: client.post(IMPORT, files={"file": ("b.json.gz", packed, "application/gzip")}),
            "gzip body": lambda: client.post(IMPORT, content=packed, headers={"Content-Type": "application/gzip"}),
            "gzip encoding": lambda: client.post(
                IMPORT, content=packed, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}
            ),
        }[way]()
        assert counts(answer) == {"imported": 1, "created": 1}

    @pytest.mark.parametrize("boundary", ["x", "a'()+_,-./:=?b", "-" * 70, "with space"])
    def test_every_boundary_is_taken(self, client, boundary):
        sent = form_body(boundary, json.dumps(document(record())).encode())
        headers = {"Content-Type": f'multipart/form-data; charset=utf-8; boundary="{boundary}"'}
        assert counts(client.post(IMPORT, content=sent, headers=headers)) == {"imported": 1, "created": 1}

    def test_body_in_chunks_is_taken(self, client):
        plain = json.dumps(document(record())).encode()
        answer = client.post(IMPORT, content=iter([plain[:20], plain[20:]]), headers=JSON)
        assert counts(answer) == {"imported": 1, "created": 1}

    def test_large_file_in_multipart_is_taken(self, client):
        sent = document(*(record(f"ast_{n}", prompt="x" * 5000) for n in range(300)))
        assert counts(client.post(IMPORT, files={"file": json.dumps(sent).encode()})) == {
            "imported": 300,
            "created": 300,
        }

    def test_merge_creates_and_updates(self, client):
        client.post(IMPORT, json=document(record("a"), record("b"), record("c")))
        answer = client.post(IMPORT, json=document(record("a", title="New"), record("b"), record("d")))
        assert counts(answer) == {"imported": 2, "created": 1, "updated": 1, "unchanged": 1}
        assert result(answer)["safetyBackup"]

    def test_skip_only_creates(self, client):
        client.post(IMPORT, json=document(record("a"), record("b")))
        answer = client.post(
            IMPORT, json=document(record("a", title="New"), record("b"), record("d")), params={"mode": "skip"}
        )
        assert counts(answer) == {"imported": 1, "created": 1, "skipped": 2}
        assert '"title":"New"' not in record_lines(client)

    def test_replace_makes_the_catalogue_the_file(self, client):
        client.post(IMPORT, json=document(record("a"), record("b")))
        answer = client.post(
            IMPORT, data={"mode": "replace"}, files={"file": json.dumps(document(record("b"), record("c"))).encode()}
        )
        assert counts(answer) == {"imported": 1, "created": 1, "unchanged": 1, "deleted": 1}
        assert [each["id"] for each in client.get(EXPORT).json()["assistants"]] == ["b", "c"]

    def test_second_import_changes_nothing_and_makes_no_backup(self, client, site):
        sent = document(record("a"), record("b"))
        client.post(IMPORT, json=sent)
        before = site.backup_names()
        answer = client.post(IMPORT, json=sent)
        assert counts(answer) == {"unchanged": 2}
        assert result(answer)["safetyBackup"] is None
        assert site.backup_names() == before

    def test_dry_run_reports_the_same_and_changes_nothing(self, client, site):
        client.post(IMPORT, json=document(record("a"), record("b")))
        before, files = record_lines(client), site.backup_names()
        sent = document(record("a", title="New"), record("c"))
        dry = client.post(IMPORT, json=sent, params={"mode": "replace", "dryRun": "true"})
        assert result(dry)["safetyBackup"] is None
        assert (record_lines(client), site.backup_names()) == (before, files)
        assert counts(client.post(IMPORT, json=sent, params={"mode": "replace"})) == counts(dry)

    @pytest.mark.parametrize("mode", ["merge", "skip", "replace"])
    def test_what_a_dry_run_showed_is_done_or_nothing_is(self, client, site, mode):
        client.post(IMPORT, json=document(record("a"), record("b")))
        sent = document(record("a", title="New"), record("c"))
        dry = result(client.post(IMPORT, json=sent, params={"mode": mode, "dryRun": "true"}))
        agreed = {"mode": mode, "fingerprint": dry["fingerprint"]}
        version = client.get("/api/assistants/b").json()["data"]["version"]
        client.put("/api/assistants/b", json={"title": "Edited", "version": version}).raise_for_status()
        before, files = record_lines(client), site.backup_names()
        for way in ({"params": agreed}, {"params": agreed | {"dryRun": "true"}}):
            error(client.post(IMPORT, json=sent, **way), 409, "CONFLICT")
        error(client.post(IMPORT, files={"file": json.dumps(sent).encode()}, data=agreed), 409, "CONFLICT")
        assert (record_lines(client), site.backup_names()) == (before, files)
        again = result(client.post(IMPORT, json=sent, params={"mode": mode, "dryRun": "true"}))
        agreed["fingerprint"] = again["fingerprint"]
        # Another file, or another mode, is not what was shown either.
        error(client.post(IMPORT, json=document(record("a")), params=agreed), 409, "CONFLICT")
        other = agreed | {"mode": "skip" if mode == "merge" else "merge"}
        error(client.post(IMPORT, json=sent, params=other), 409, "CONFLICT")
        done = result(client.post(IMPORT, json=sent, params=agreed))
        assert {name: done[name] for name in COUNTS} == {name: again[name] for name in COUNTS}

    def test_safety_backup_holds_what_was_there_before(self, client, site):
        client.post(IMPORT, json=document(record("a", title="Before")))
        answer = client.post(IMPORT, json=document(record("a", title="After")))
        saved = json.loads((site.backups / result(answer)["safetyBackup"]).read_text())
        assert [each["title"] for each in saved["assistants"]] == ["Before"]

    def test_bad_records_are_skipped_when_asked(self, client):
        sent = document(record("a"), {"id": "b", "title": "No prompt"}, record("c"))
        data = result(client.post(IMPORT, json=sent, params={"onError": "skip"}))
        assert data["created"] == 2
        assert [(each["index"], each["id"], each["field"]) for each in data["errors"]] == [(1, "b", "prompt")]
        assert data["errors"][0]["message"]

    def test_warnings_name_what_is_over_a_setting(self, client):
        data = result(client.post(IMPORT, json=document(record("a", title="x" * 201))))
        assert [(each["index"], each["id"], each["field"]) for each in data["warnings"]] == [(0, "a", "title")]

    def test_empty_file_replaces_only_when_confirmed(self, client):
        client.post(IMPORT, json=document(record("a")))
        before = record_lines(client)
        refused = client.post(IMPORT, json=document(), params={"mode": "replace"})
        assert error(refused, 400, "VALIDATION_ERROR")["details"][0]["field"] == "confirmDeleteAll"
        assert record_lines(client) == before
        answer = client.post(IMPORT, json=document(), params={"mode": "replace", "confirmDeleteAll": "true"})
        assert counts(answer) == {"deleted": 1}

    def test_altered_file_is_taken_only_when_accepted(self, client):
        client.post(IMPORT, json=document(record("a")))
        altered = client.get(EXPORT).content.replace(b"Be one.", b"Be two.")
        before = record_lines(client)
        refused = client.post(IMPORT, files={"file": altered})
        assert "checksum" in error(refused, 400, "VALIDATION_ERROR")["message"]
        assert record_lines(client) == before
        answer = client.post(IMPORT, files={"file": altered}, data={"acceptAltered": "true"})
        assert counts(answer) == {"imported": 1, "updated": 1}


class TestRefusedOptions:
    @pytest.mark.parametrize(
        ("params", "name"),
        [
            ({"mode": "overwrite"}, "mode"),
            ({"mode": ""}, "mode"),
            ({"dryRun": "1"}, "dryRun"),
            ({"fingerprint": "merge-abc"}, "fingerprint"),
            ({"onError": "ignore"}, "onError"),
            ({"confirmDeleteAll": "yes"}, "confirmDeleteAll"),
            ({"acceptAltered": "True"}, "acceptAltered"),
            ({"dryrun": "true"}, "dryrun"),
            ({"mode": ["merge", "replace"]}, "mode"),
        ],
    )
    def test_parameter_that_is_not_understood_is_named(self, client, params, name):
        before = record_lines(client)
        refused = error(client.post(IMPORT, content=GOOD, headers=JSON, params=params), 400, "INVALID_PARAMETER")
        assert [detail["field"] for detail in refused["details"]] == [name]
        refused = error(client.post(IMPORT, files={"file": GOOD}, data=params), 400, "VALIDATION_ERROR")
        assert [detail["field"] for detail in refused["details"]] == [name]
        assert record_lines(client) == before

    def test_address_and_form_must_agree(self, client):
        answer = client.post(IMPORT, files={"file": GOOD}, data={"mode": "skip"}, params={"mode": "merge"})
        assert error(answer, 400, "VALIDATION_ERROR")["details"][0]["field"] == "mode"

    @pytest.mark.parametrize(
        "options",
        [
            {"data": {"mode": "merge"}, "files": {"other": GOOD}},
            {"files": [("file", GOOD), ("file", GOOD)]},
            {"files": {"file": b""}},
            {"content": b"", "headers": JSON},
        ],
        ids=["no file", "two files", "empty file", "empty body"],
    )
    def test_body_without_one_file_is_refused(self, client, options):
        assert error(client.post(IMPORT, **options), 400, "VALIDATION_ERROR")["details"]

    @pytest.mark.parametrize(
        "headers",
        [
            FORM,
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/xml"},
            {"Content-Type": "application/json; charset=latin-1"},
            JSON | {"Content-Encoding": "br"},
            JSON | {"Content-Encoding": "deflate"},
        ],
        ids=str,
    )
    def test_other_types_are_refused(self, client, headers):
        refused = error(client.post(IMPORT, content=GOOD, headers=headers), 415, "UNSUPPORTED_MEDIA_TYPE")
        assert "multipart/form-data" in refused["message"]

    @pytest.mark.parametrize(
        "kind",
        ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"],
    )
    def test_form_without_its_boundary_holds_no_file(self, client, kind):
        body = form_body("line", GOOD)
        refused = client.post(IMPORT, content=body, headers={"Content-Type": kind})
        assert error(refused, 400, "VALIDATION_ERROR")["details"][0]["field"] == "file"

    def test_other_methods_are_named(self, client):
        answer = client.get(IMPORT)
        error(answer, 405, "METHOD_NOT_ALLOWED")
        assert {name.strip() for name in answer.headers["Allow"].split(",")} == {"POST", "OPTIONS"}

    def test_nobody_changes_nothing(self, server):
        error(httpx.post(server.url + IMPORT, content=GOOD, headers=JSON), 401, "UNAUTHORIZED")


BAD_FILES = {
    "not JSON": (b"hello", None),
    "cut": (GOOD[: len(GOOD) // 2], None),
    "another program's": (b'{"prompts": [{"id": "a"}]}', None),
    "a number": (b"17", None),
    "wrong count": (text(NEW, count=2), None),
    "duplicate ids": (text(NEW, NEW), (1, "new", "id")),
    "NaN": (text(NEW, '{"id": "b", "title": "t", "prompt": "p", "version": NaN}'), None),
    "100,000 brackets": (b"[" * 100_000, None),
    "100,000 brackets inside": (text(NEW, '{"id":"b","title":"t","prompt":"p","x":' + "[" * 100_000), None),
    "lone surrogate": (text(NEW, '{"id": "b", "title": "\\ud800", "prompt": "p"}'), (1, "b", "title")),
    "NUL": (text(NEW, '{"id": "b", "title": "a\\u0000", "prompt": "p"}'), (1, "b", "title")),
    "5,000-digit number": (
        text(NEW, '{"id": "b", "title": "t", "prompt": "p", "version": ' + "1" * 5000 + "}"),
        (1, "b", "version"),
    ),
    "bad date": (text(NEW, json.dumps(record("b", createdAt="yesterday"))), (1, "b", "createdAt")),
    "unknown status": (text(NEW, json.dumps(record("b", status="live"))), (1, "b", "status")),
    "no prompt": (text(NEW, '{"id": "b", "title": "t"}'), (1, "b", "prompt")),
    "wrong type": (text(NEW, json.dumps(record("b", title=5))), (1, "b", "title")),
    "not a record": (text(NEW, "17"), None),
    "UTF-16": (GOOD.decode().encode("utf-16"), None),
    "broken UTF-8": (text(NEW, '{"id": "b", "title": "§", "prompt": "p"}').replace("§".encode(), b"\xff"), None),
    "cut gzip": (gzip.compress(GOOD * 50)[:-20], None),
    "gzip inside gzip": (gzip.compress(gzip.compress(GOOD)), None),
    "zeros": (b"\0" * 1000, None),
}


class TestBadFiles:
    @pytest.mark.parametrize("name", BAD_FILES)
    def test_it_is_refused_in_words_and_nothing_changes(self, client, site, name):
        client.post(IMPORT, json=document(record("kept")))
        before, files = record_lines(client), site.backup_names()
        content, where = BAD_FILES[name]
        for send in (
            lambda: client.post(IMPORT, files={"file": content}),
            lambda: client.post(IMPORT, content=content, headers=JSON),
        ):
            refused = error(send(), 400, "VALIDATION_ERROR")
            if where:
                details = [(each["index"], each["id"], each["field"]) for each in refused["details"]]
                assert where in details
            assert all(set(each) == {"index", "id", "field", "message"} for each in refused.get("details", []))
        assert (record_lines(client), site.backup_names()) == (before, files)

    def test_wrong_count_is_refused_even_when_bad_records_may_be_skipped(self, client):
        error(
            client.post(IMPORT, content=text(NEW, count=2), headers=JSON, params={"onError": "skip"}),
            400,
            "VALIDATION_ERROR",
        )

    def test_gzip_inside_gzip_is_called_what_it_is(self, client):
        refused = client.post(IMPORT, files={"file": gzip.compress(gzip.compress(GOOD))})
        assert "gzip" in error(refused, 400, "VALIDATION_ERROR")["message"]

    def test_number_of_bad_records_is_said_in_plain_words(self, client):
        bad = '{"id": "b", "title": "No prompt"}'
        one = client.post(IMPORT, content=text(NEW, bad), headers=JSON)
        assert error(one, 400, "VALIDATION_ERROR")["message"].startswith("One record of the file cannot be read.")
        two = client.post(IMPORT, content=text(NEW, bad, bad.replace("b", "c", 1)), headers=JSON)
        assert error(two, 400, "VALIDATION_ERROR")["message"].startswith("2 records of the file cannot be read.")


class TestSize:
    def test_larger_than_the_limit_is_refused_in_words_by_its_length(self, server, site):
        token = site.token("size")
        parts = urlsplit(server.url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        connection.putrequest("POST", IMPORT)
        for name, value in {**JSON, "Content-Length": "629145600", "Authorization": f"Bearer {token}"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert (answer.status, body["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert "2.0 MB" in body["error"]["message"]
        connection.close()

    def test_what_unpacks_to_far_more_is_refused(self, client):
        bomb = gzip.compress(b" " * (LIMIT * 21))
        refused = client.post(IMPORT, content=bomb, headers={"Content-Type": "application/gzip"})
        error(refused, 413, "PAYLOAD_TOO_LARGE")
