"""Documents and calls that the tests of backups over the API share, and how their answers are read."""

from __future__ import annotations

import json

import httpx

EXPORT = "/api/assistants/backup/export"
IMPORT = "/api/assistants/backup/import"
LIST = "/api/assistants/backup/list"
CREATE = "/api/assistants/backup/create"
EMPTY = {"metadata": {"version": "1.0.0", "timestamp": "2026-01-01T00:00:00.000Z", "recordCount": 0}, "assistants": []}
COUNTS = ("imported", "created", "updated", "unchanged", "deleted", "skipped")
FIELDS = {*COUNTS, "errors", "warnings", "safetyBackup"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def record(id: str = "ast_1", **more) -> dict:
    return {"id": id, "title": "One", "prompt": "Be one.", **more}


def document(*records: dict, count: int | None = None) -> dict:
    return {
        "metadata": {
            "version": "1.0.0",
            "timestamp": "2026-01-01T00:00:00.000Z",
            "recordCount": len(records) if count is None else count,
        },
        "assistants": list(records),
    }


def result(answer: httpx.Response) -> dict:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["success"] is True
    assert set(body["data"]) - {"fingerprint"} == FIELDS
    return body["data"]


def counts(answer: httpx.Response) -> dict[str, int]:
    data = result(answer)
    assert data["imported"] == data["created"] + data["updated"]
    return {name: data[name] for name in COUNTS if data[name]}


def error(answer: httpx.Response, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body["success"] is False
    assert body["error"]["code"] == code
    assert body["error"]["message"]
    assert body["error"]["traceId"] == answer.headers["X-Request-Id"]
    return body["error"]


def record_lines(client: httpx.Client) -> str:
    text = client.get(EXPORT).text
    return text[text.index('"assistants": [') : text.rindex('"integrity"')]


def text(*records: str, count: int | None = None) -> bytes:
    number = len(records) if count is None else count
    return f'{{"metadata": {{"recordCount": {number}}}, "assistants": [{",".join(records)}]}}'.encode()


NEW = json.dumps(record("new"))
GOOD = json.dumps(document(record("new"))).encode()
