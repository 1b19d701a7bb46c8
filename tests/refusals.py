"""For tests of bad input: the whole catalogue as it is stored, and what every refusal looks like."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.factories import make_record, store
from tests.people import add_token, close
from webadmin.app import create_app
from webadmin.config import Config

ASSISTANTS = "/api/assistants"
ONE = f"{ASSISTANTS}/ast_1"
NEW = {"title": "T", "desc": "d", "emoji": "🤖", "prompt": "p"}

_TABLES = ("assistants", "aa_extra", "aa_revision", "aa_trash", "aa_change")
_STATUS_OF = {
    "VALIDATION_ERROR": 400,
    "INVALID_PARAMETER": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "VERSION_CONFLICT": 409,
    "CONFLICT": 409,
    "PRECONDITION_FAILED": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
}


class Caller:
    """Somebody with a token, and a catalogue of two assistants, ast_1 and ast_2, to try things on."""

    def __init__(self, folder: Path, client: FlaskClient, token: str) -> None:
        self.folder = folder
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, headers: dict[str, str | None] | None = None, **body: Any) -> TestResponse:
        """A call with the token; a header that is None is not sent."""
        told = {name: value for name, value in (self.headers | (headers or {})).items() if value is not None}
        return self.client.open(path, method=method, headers=told, buffered=True, **body)

    def get(self, path: str) -> Any:
        """The `data` of something that is there."""
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.get_json()["data"]

    def everything(self) -> Any:
        """All that a refusal must leave as it is: the stored rows, the names of backups, the records of an export."""
        export = self.call("GET", f"{ASSISTANTS}/backup/export").text
        lines = export[export.index('"assistants": [') : export.rindex('"integrity"')]
        return stored(self.folder / "assistants.db"), sorted((self.folder / "backups").glob("*")), lines


@contextmanager
def calling(folder: Path, **settings: str) -> Iterator[Caller]:
    """The application in this process, over a catalogue of its own in `folder`."""
    places = {
        "DATABASE_PATH": str(folder / "assistants.db"),
        "DATABASE_BACKUP_DIR": str(folder / "backups"),
        "LOG_DIR": str(folder / "logs"),
        "RATE_LIMIT_MAX_REQUESTS": "0",
    }
    app = create_app(Config.load(places | settings, env_file=None))
    app.testing = False
    store(app, make_record(), make_record("ast_2", extra={"mine": b'{"a":1}'}, rating=4.5))
    yield Caller(folder, app.test_client(), add_token(app))
    close(app)


def stored(path: Path) -> list[Any]:
    """Every row of the catalogue, its history and its trash."""
    connection = sqlite3.connect(path)
    try:
        return [connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in _TABLES]
    finally:
        connection.close()


def refused(answer: TestResponse, codes: str | Iterable[str], field: str | None = None) -> dict[str, Any]:
    """The error of an answer: one of these codes, with its status, a sentence and the trace id; it names `field`."""
    assert answer.mimetype == "application/json", (answer.status, answer.text[:500])
    body = answer.get_json()
    assert set(body) == {"success", "error"}
    assert body["success"] is False
    error: dict[str, Any] = body["error"]
    assert error["code"] in ({codes} if isinstance(codes, str) else set(codes)), answer.text
    assert answer.status_code == _STATUS_OF[error["code"]]
    assert re.match(r"\S.*[.!?]$", error["message"], re.DOTALL), error["message"]
    assert "%(" not in answer.text
    assert error["traceId"] == answer.headers["X-Request-Id"]
    if field is not None:
        assert field in {each["field"] for each in error["details"]}, answer.text
    return error
