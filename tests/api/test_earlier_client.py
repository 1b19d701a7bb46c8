"""The calls that the earlier system documented, by a client of its users, on a database that it made."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests import earlier
from tests.earlier import Client
from tests.sites import Site

TYPES: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "title": (str,),
    "desc": (str,),
    "emoji": (str,),
    "prompt": (str,),
    "tags": (list,),
    "isPublic": (bool,),
    "status": (str,),
    "author": (str,),
    "createdAt": (str,),
    "updatedAt": (str, type(None)),
    "reviewedAt": (str, type(None)),
    "publishedAt": (str, type(None)),
    "reviewNote": (str, type(None)),
    "version": (int,),
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
BACKUP_NAME = re.compile(r"assistants_backup_\d{8}_\d{6}\.json")
NEW = {"title": "Translator", "desc": "From English", "emoji": "🌍", "prompt": "Translate what you are given."}
OLD_BACKUP = "assistants_backup_manual_2025-11-03_03-09-44-549Z.json"
NANOID = "V1StGXR8_Z5jdHi6B-myT"
# By hand: newest first as text, equal times by id.
NEWEST_FIRST = ["ast_1700000003", "ast_1700000004", NANOID, "ast_1700000002", "ast_1700000001"]
_REVIEWED = {"updated_at": "2024-02-02T00:00:00.000Z", "reviewed_at": "2024-02-02T00:00:00.000Z"}
_PUBLISHED = {"status": "published", "published_at": "2024-02-02T00:00:00.000Z", **_REVIEWED}
_REJECTED = {"status": "rejected", "review_note": "Too short.", **_REVIEWED}
# id, created_at, title, and what else is not as in the other rows
FOUND = (
    ("ast_1700000001", "2024-01-15T10:30:00.000Z", "Code review", {"desc": "100% careful", "tags": '["code","评审"]'}),
    ("ast_1700000002", "2024-02-01T00:00:00.000Z", "Data analyst", {"is_public": 1, "version": 3, **_PUBLISHED}),
    (NANOID, "2024-03-01T00:00:00.000Z", "数据分析师", {"status": "pending", "desc": "SQL"}),
    ("ast_1700000004", "2024-04-01T08:00:00.000Z", "Poet", {"version": 2, **_REJECTED}),
    ("ast_1700000003", "2024-04-01T08:00:00.000Z", "Critic", {"status": "published"}),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site whose data folder the earlier system left behind."""
    made = Site(tmp_path_factory.mktemp("earlier"), {"RATE_LIMIT_MAX_REQUESTS": "0"})
    made.backups.mkdir(parents=True)
    program = earlier.connect(made.data / "assistants.db")
    for id, created_at, title, more in FOUND:
        earlier.insert(program, id=id, created_at=created_at, title=title, author="found", **more)
    content = json.dumps(
        {
            "metadata": {"version": "1.0.0", "timestamp": "2025-11-03T03:09:44.549Z", "recordCount": 1},
            "assistants": [{"id": "ast_1", **NEW}],
        },
        indent=2,
    )
    (made.backups / OLD_BACKUP).write_text(content, encoding="utf-8")
    program.execute(
        "INSERT INTO backups (filename, created_at, record_count, file_size, is_auto) VALUES (?, ?, 1, ?, 1)",
        (OLD_BACKUP, "2025-11-03T03:09:44.549Z", len(content.encode())),
    )
    program.close()
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(site):
    made = Client(site.serve().url, site.token())
    yield made
    made.http.close()


@pytest.fixture
def program(site):
    """The earlier system itself, at work on the same file."""
    connection = earlier.connect(site.data / "assistants.db")
    yield connection
    connection.close()


def data(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert set(body) == {"success", "data"}
    assert body["success"] is True
    return body["data"]


def record(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    found = data(answer, status)
    assert_record(found)
    return found


def assert_record(found: dict[str, Any]) -> None:
    assert set(found) == set(TYPES)
    for name, types in TYPES.items():
        assert type(found[name]) in types, name
    assert all(type(tag) is str for tag in found["tags"])
    for name in ("createdAt", "updatedAt", "reviewedAt", "publishedAt"):
        assert found[name] is None or TIME.fullmatch(found[name]), name


def error(answer: httpx.Response, status: int, code: str, fields: set[str] | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"success", "error"}
    assert body["success"] is False
    said = body["error"]
    assert said["code"] == code
    assert said["message"].strip()
    assert said["traceId"] == answer.headers["X-Request-Id"]
    assert set(said) <= {"code", "message", "details", "traceId"}
    if fields is not None:
        assert {each["field"] for each in said["details"]} == fields
    return said


def is_now(text: str | None) -> bool:
    return text is not None and abs(datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds() < 30


class TestList:
    def test_first_page_is_newest_first_and_equal_times_are_ordered_by_id(self, client):
        found = data(client.list(author="found"))
        assert set(found) == {"data", "total", "page", "pageSize", "nextCursor"}
        assert [each["id"] for each in found["data"]] == NEWEST_FIRST
        assert (found["total"], found["page"], found["pageSize"], found["nextCursor"]) == (5, 1, 20, None)
        for each in found["data"]:
            assert_record(each)

    def test_rows_are_told_as_they_were_stored(self, client):
        found = {each["id"]: each for each in data(client.list(author="found"))["data"]}
        assert found["ast_1700000001"] == {
            "id": "ast_1700000001",
            "title": "Code review",
            "desc": "100% careful",
            "emoji": "🚀",
            "prompt": "Be helpful.",
            "tags": ["code", "评审"],
            "isPublic": False,
            "status": "draft",
            "author": "found",
            "createdAt": "2024-01-15T10:30:00.000Z",
            "updatedAt": None,
            "reviewedAt": None,
            "publishedAt": None,
            "reviewNote": None,
            "version": 1,
        }
        published = found["ast_1700000002"]
        assert (published["isPublic"], published["tags"], published["version"]) == (True, [], 3)
        assert published["publishedAt"] == published["reviewedAt"] == "2024-02-02T00:00:00.000Z"
        assert found["ast_1700000004"]["reviewNote"] == "Too short."

    def test_pages_part_the_list_without_gap_or_repetition(self, client):
        pages = [data(client.list(author="found", page=page, pageSize=2)) for page in (1, 2, 3, 4)]
        assert [[each["id"] for each in page["data"]] for page in pages] == [
            NEWEST_FIRST[:2],
            NEWEST_FIRST[2:4],
            NEWEST_FIRST[4:],
            [],
        ]
        assert [(page["total"], page["page"], page["pageSize"]) for page in pages] == [(5, n, 2) for n in (1, 2, 3, 4)]

    def test_cursor_reads_on_where_a_page_ended(self, client):
        seen, cursor = [], None
        for _ in range(10):
            found = data(client.list(author="found", pageSize=2, **({"cursor": cursor} if cursor else {})))
            assert found["total"] == 5
            seen += [each["id"] for each in found["data"]]
            cursor = found["nextCursor"]
            if cursor is None:
                break
        assert seen == NEWEST_FIRST

    @pytest.mark.parametrize(
        ("filters", "ids"),
        [
            ({"status": "published"}, ["ast_1700000003", "ast_1700000002"]),
            ({"status": "draft"}, ["ast_1700000001"]),
            ({"search": "code"}, ["ast_1700000001"]),
            ({"search": "CAREFUL"}, ["ast_1700000001"]),
            ({"search": "数据"}, [NANOID]),
            ({"search": "据"}, [NANOID]),
            ({"search": "%"}, ["ast_1700000001"]),
            ({"search": "_"}, []),
            ({"search": "Be helpful"}, []),
            ({"search": "ri", "status": "published"}, ["ast_1700000003"]),
            ({"search": "", "status": ""}, NEWEST_FIRST),
        ],
    )
    def test_filters_select_and_count(self, client, filters, ids):
        found = data(client.list(author="found", **filters))
        assert [each["id"] for each in found["data"]] == ids
        assert found["total"] == len(ids)

    def test_unknown_author_finds_nothing(self, client):
        assert data(client.list(author="FOUND"))["total"] == 0

    @pytest.mark.parametrize(
        ("parameters", "field"),
        [
            ({"page": 0}, "page"),
            ({"page": "x"}, "page"),
            ({"pageSize": 0}, "pageSize"),
            ({"pageSize": 101}, "pageSize"),
            ({"status": "archived"}, "status"),
        ],
    )
    def test_parameters_that_cannot_be_used_are_named(self, client, parameters, field):
        error(client.list(**parameters), 400, "INVALID_PARAMETER", {field})


class TestOne:
    def test_get_tells_the_same_as_the_list(self, client):
        for each in data(client.list(author="found"))["data"]:
            assert record(client.get(each["id"])) == each

    def test_unknown_id_is_not_found(self, client):
        error(client.get("ast_9999999999"), 404, "NOT_FOUND")

    def test_create_makes_a_draft_of_version_1(self, client, program):
        answer = client.create(**NEW, tags=["language"], isPublic=True, author="zhang")
        made = record(answer, 201)
        assert answer.headers["Location"] == f"/api/assistants/{made['id']}"
        assert re.fullmatch(r"[A-Za-z0-9_-]{21}", made["id"])
        assert {name: made[name] for name in NEW} == NEW
        assert (made["tags"], made["isPublic"], made["author"]) == (["language"], True, "zhang")
        assert (made["status"], made["version"]) == ("draft", 1)
        assert is_now(made["createdAt"])
        assert [made[name] for name in ("updatedAt", "reviewedAt", "publishedAt", "reviewNote")] == [None] * 4
        assert record(client.get(made["id"])) == made
        row = program.execute("SELECT title, tags, is_public FROM assistants WHERE id = ?", (made["id"],)).fetchone()
        assert (row[0], json.loads(row[1]), row[2]) == ("Translator", ["language"], 1)

    def test_create_fills_what_is_optional(self, client):
        made = record(client.create(**NEW), 201)
        assert (made["tags"], made["isPublic"], made["author"]) == ([], False, "tests")

    def test_create_takes_an_id_once(self, client):
        assert record(client.create(id="ast_1800000001", **NEW), 201)["id"] == "ast_1800000001"
        error(client.create(id="ast_1800000001", **NEW), 409, "CONFLICT")

    def test_create_names_each_missing_field(self, client):
        error(client.create(), 400, "VALIDATION_ERROR", {"title", "desc", "emoji", "prompt"})
        error(client.create(title="Only"), 400, "VALIDATION_ERROR", {"desc", "emoji", "prompt"})

    def test_partial_update_changes_what_was_sent(self, client):
        made = record(client.create(**NEW, tags=["a"]), 201)
        changed = record(client.update(made["id"], title="Interpreter", version=1))
        assert is_now(changed["updatedAt"])
        assert changed == made | {"title": "Interpreter", "version": 2, "updatedAt": changed["updatedAt"]}
        assert record(client.get(made["id"])) == changed

    def test_record_can_be_sent_back_with_one_change(self, client):
        made = record(client.create(**NEW), 201)
        changed = record(client.update(made["id"], **{k: v for k, v in made.items() if k != "id"} | {"desc": "Other"}))
        assert (changed["desc"], changed["version"]) == ("Other", 2)

    def test_old_version_is_a_conflict_and_changes_nothing(self, client):
        made = record(client.create(**NEW), 201)
        current = record(client.update(made["id"], title="First", version=1))
        said = error(client.update(made["id"], title="Second", version=1), 409, "VERSION_CONFLICT")
        assert said["details"] == {"currentVersion": 2, "requestedVersion": 1}
        assert record(client.get(made["id"])) == current

    def test_update_needs_a_version(self, client):
        made = record(client.create(**NEW), 201)
        error(client.update(made["id"], title="No version"), 400, "VALIDATION_ERROR", {"version"})
        error(client.update(made["id"], title="No version", version="1"), 400, "VALIDATION_ERROR", {"version"})

    def test_delete_tells_the_id_and_the_assistant_is_gone(self, client, program):
        made = record(client.create(**NEW), 201)
        assert data(client.delete(made["id"])) == {"id": made["id"]}
        error(client.get(made["id"]), 404, "NOT_FOUND")
        error(client.delete(made["id"]), 404, "NOT_FOUND")
        error(client.update(made["id"], title="x", version=1), 404, "NOT_FOUND")
        assert not program.execute("SELECT 1 FROM assistants WHERE id = ?", (made["id"],)).fetchone()


class TestStatus:
    def test_review_sets_status_note_times_and_version(self, client):
        made = record(client.create(**NEW), 201)
        pending = record(client.set_status(made["id"], status="pending", version=1))
        assert (pending["status"], pending["version"], pending["reviewedAt"]) == ("pending", 2, None)
        rejected = record(client.set_status(made["id"], status="rejected", reviewNote="请补充示例", version=2))
        assert (rejected["status"], rejected["reviewNote"], rejected["version"]) == ("rejected", "请补充示例", 3)
        assert is_now(rejected["reviewedAt"])
        assert rejected["publishedAt"] is None
        again = record(client.set_status(made["id"], status="pending", version=3))
        published = record(client.set_status(made["id"], status="published", reviewNote="Good.", version=4))
        assert again["reviewedAt"] == rejected["reviewedAt"]
        assert (published["status"], published["reviewNote"], published["version"]) == ("published", "Good.", 5)
        assert published["publishedAt"] == published["reviewedAt"] == published["updatedAt"]
        assert is_now(published["publishedAt"])
        draft = record(client.set_status(made["id"], status="draft", version=5))
        assert draft == published | {"status": "draft", "version": 6, "updatedAt": draft["updatedAt"]}

    def test_draft_may_be_published_at_once(self, client):
        made = record(client.create(**NEW), 201)
        assert record(client.set_status(made["id"], status="published", version=1))["status"] == "published"

    def test_same_status_changes_the_note_only(self, client):
        made = record(client.create(**NEW), 201)
        first = record(client.set_status(made["id"], status="published", version=1))
        noted = record(client.set_status(made["id"], status="published", reviewNote="Later.", version=2))
        assert noted == first | {"reviewNote": "Later.", "version": 3, "updatedAt": noted["updatedAt"]}

    @pytest.mark.parametrize(
        ("way", "refused"),
        [
            ((), "rejected"),
            (("published",), "pending"),
            (("published",), "rejected"),
            (("pending", "rejected"), "published"),
            ((), "archived"),
        ],
    )
    def test_other_moves_are_refused(self, client, way, refused):
        before = record(client.create(**NEW), 201)
        for status in way:
            before = record(client.set_status(before["id"], status=status, version=before["version"]))
        answer = client.set_status(before["id"], status=refused, version=before["version"])
        error(answer, 400, "VALIDATION_ERROR", {"status"})
        assert record(client.get(before["id"])) == before

    def test_old_version_is_a_conflict(self, client):
        made = record(client.create(**NEW), 201)
        said = error(client.set_status(made["id"], status="pending", version=7), 409, "VERSION_CONFLICT")
        assert said["details"] == {"currentVersion": 1, "requestedVersion": 7}


class TestBackups:
    def test_export_is_the_whole_catalogue_as_a_download(self, client, program):
        answer = client.export()
        assert answer.status_code == 200, answer.text
        named = re.fullmatch(r'attachment; filename="?([^"]+)"?', answer.headers["Content-Disposition"])
        assert BACKUP_NAME.fullmatch(named[1])
        document = answer.json()
        metadata = document["metadata"]
        assert metadata["version"] == "1.0.0"
        assert is_now(metadata["timestamp"])
        count = program.execute("SELECT count(*) FROM assistants").fetchone()[0]
        assert metadata["recordCount"] == len(document["assistants"]) == count
        exported = {each["id"]: each for each in document["assistants"]}
        for each in data(client.list(author="found"))["data"]:
            assert exported[each["id"]] == each

    @pytest.mark.parametrize("way", ["json", "file"])
    def test_import_takes_the_documents_of_the_earlier_system(self, client, way):
        new = f"ast_imported_{way}"
        stored = record(client.create(**NEW), 201)
        document = {
            "version": "1.0",
            "exportedAt": "2025-01-01T00:00:00.000Z",
            "count": 3,
            "assistants": [
                {"id": new, "title": "Imported", "prompt": "Be imported.", "tags": [], "version": 4},
                stored | {"title": "Changed"},
                record(client.get("ast_1700000001")),
            ],
        }
        answer = client.import_json(document) if way == "json" else client.import_file(json.dumps(document).encode())
        result = data(answer)
        counts = {name: value for name, value in result.items() if type(value) is int}
        assert counts == {"imported": 2, "created": 1, "updated": 1, "unchanged": 1, "deleted": 0, "skipped": 0}
        assert (result["errors"], result["warnings"]) == ([], [])
        assert BACKUP_NAME.fullmatch(result["safetyBackup"])
        assert record(client.get(new)) == {
            "id": new,
            "title": "Imported",
            "desc": "",
            "emoji": "🤖",
            "prompt": "Be imported.",
            "tags": [],
            "isPublic": False,
            "status": "draft",
            "author": "tests",
            "createdAt": "2025-01-01T00:00:00.000Z",
            "updatedAt": None,
            "reviewedAt": None,
            "publishedAt": None,
            "reviewNote": None,
            "version": 4,
        }
        assert record(client.get(stored["id"]))["version"] == 2
        assert data(client.import_json(document))["safetyBackup"] is None

    def test_bad_record_is_named_and_nothing_is_imported(self, client):
        sent = [{"id": "ast_good", "title": "Good", "prompt": "p"}, {"id": "ast_bad", "title": "No prompt"}]
        said = error(client.import_json(sent), 400, "VALIDATION_ERROR")
        assert [(each["index"], each["id"], each["field"]) for each in said["details"]] == [(1, "ast_bad", "prompt")]
        error(client.get("ast_good"), 404, "NOT_FOUND")

    def test_backup_of_the_earlier_system_is_listed(self, client, program):
        found = {each["filename"]: each for each in data(client.list_backups())}
        listed = found[OLD_BACKUP]
        rows = program.execute("SELECT id, is_auto FROM backups WHERE filename = ?", (OLD_BACKUP,)).fetchall()
        assert rows == [(listed["id"], 1)]
        assert listed["createdAt"] == "2025-11-03T03:09:44.549Z"
        assert (listed["recordCount"], listed["isAuto"]) == (1, True)
        assert listed["fileSize"] > 100

    def test_backup_that_is_made_comes_first(self, client, site, program):
        made = data(client.create_backup(), 201)
        assert BACKUP_NAME.fullmatch(made["filename"])
        listed = data(client.list_backups())
        assert listed[0] == made
        assert [each["createdAt"] for each in listed] == sorted((each["createdAt"] for each in listed), reverse=True)
        file = site.backups / made["filename"]
        assert made["fileSize"] == file.stat().st_size
        assert made["recordCount"] == len(json.loads(file.read_bytes())["assistants"])
        assert made["isAuto"] is False
        assert is_now(made["createdAt"])
        row = program.execute("SELECT filename, is_auto FROM backups WHERE id = ?", (made["id"],)).fetchone()
        assert row == (made["filename"], 0)


class TestBothAtWork:
    def test_what_the_earlier_system_writes_is_told_at_once(self, client, program):
        earlier.insert(program, id="ast_theirs", title="Written by the other", author="theirs")
        assert [each["id"] for each in data(client.list(author="theirs"))["data"]] == ["ast_theirs"]
        changed = program.execute(
            "UPDATE assistants SET title = 'Changed there', version = version + 1, updated_at = ?"
            " WHERE id = 'ast_theirs' AND version = 1",
            ("2026-01-01T00:00:00.000Z",),
        )
        assert changed.rowcount == 1
        said = error(client.update("ast_theirs", title="Late", version=1), 409, "VERSION_CONFLICT")
        assert said["details"] == {"currentVersion": 2, "requestedVersion": 1}
        assert record(client.update("ast_theirs", title="In time", version=2))["version"] == 3
        program.execute("DELETE FROM assistants WHERE id = 'ast_theirs'")
        error(client.get("ast_theirs"), 404, "NOT_FOUND")

    def test_its_optimistic_update_sees_our_version(self, client, program):
        made = record(client.create(**NEW), 201)
        record(client.update(made["id"], title="Ours", version=1))
        statement = "UPDATE assistants SET title = 'x', version = version + 1 WHERE id = ? AND version = ?"
        assert program.execute(statement, (made["id"], 1)).rowcount == 0
        assert program.execute(statement, (made["id"], 2)).rowcount == 1

    def test_without_a_token_nothing_is_told(self, client):
        for path in ("/assistants", "/assistants/ast_1700000001", "/assistants/backup/list"):
            error(httpx.get(f"{client.http.base_url}{path.removeprefix('/')}"), 401, "UNAUTHORIZED")
