"""Names that lead out of the folder, in every parameter that names a file: refused, nothing read, nothing written."""

# ruff: noqa: E501 (tables)

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.http import parse_options_header

from tests.factories import make_record, store
from tests.people import session_token
from tests.web.conftest import PARTIAL
from webadmin import backups
from webadmin.accounts import SYSTEM

SECRET = "what no page may show"
NAMES = [
    "../secret.json", "..", ".", "...", "./x", "/etc/passwd", "//etc/passwd", "..\\secret.json", "C:\\x", "\\\\host\\x", "....//secret.json",
    "%2e%2e/secret.json", "..%2fsecret.json", "%2e%2e%2fsecret.json", "..%252fsecret.json", "..%c0%afsecret.json", "..%5csecret.json",
    "assistants_backup_../../secret.json", "assistants_backup_/../../secret.json", "assistants_backup_x.json/../../secret.json",
    "assistants_backup_link.json", "assistants_backup_folder.json", ".lock", ".bin", ".bin/x", ".tmp-x", "a\0b", "assistants_backup_a\0.json",
    "assistants_backup_a\r\nSet-Cookie: x=y.json", "file:///etc/passwd", "~root", "$HOME", "-rf", "x" * 300, "助" * 200, "\ud800", "con", "nul.json",
]  # fmt: skip
# By hand: EVERY_ROUTE=yes gives each name to each address.
EVERY_ROUTE = bool(os.environ.get("EVERY_ROUTE"))
READING = [("GET", "/backups/{}/download"), ("GET", "/static/{}"), ("GET", "/import/{}/records.csv")]
ROUTES = [
    ("GET", "/backups/{}"), ("GET", "/backups/{}/download"), ("POST", "/backups/{}/verify"), ("GET", "/backups/{}/delete"),
    ("POST", "/backups/{}/delete"), ("POST", "/backups/bin/{}/bring-back"), ("GET", "/backups/{}/pin"), ("POST", "/backups/{}/pin"),
    ("POST", "/backups/{}/unpin"), ("GET", "/backups/{}/note"), ("POST", "/backups/{}/note"), ("GET", "/backups/{}/compare"),
    ("POST", "/backups/{}/compare"), ("GET", "/backups/{}/compare/ast_1"), ("POST", "/backups/{}/restore/ast_1"),
    ("GET", "/import/{}"), ("GET", "/import/{}/records.csv"), ("GET", "/import/{}/problems.csv"), ("POST", "/import/{}/apply"),
    ("GET", "/jobs/{}"), ("POST", "/jobs/{}/cancel"), ("GET", "/api/jobs/{}"), ("GET", "/static/{}"), ("GET", "/static/css/{}"),
    ("GET", "/health/recovery/{}"),
]  # fmt: skip


def everything(folder: Path) -> dict[str, bytes]:
    """Each file beside the data but what a database and the log write of their own accord."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.endswith((".db", "-wal", "-shm", ".log", ".lock")):
            found[str(path)] = path.read_bytes()
    return found


@pytest.fixture
def site(app: Flask, folder: Path) -> Path:
    """A site with one backup; what must not be reached lies above its folder, behind a link in it, and beside it."""
    store(app, make_record())
    with app.app_context():
        backups.create(SYSTEM)
    (folder / "secret.json").write_text(SECRET)
    (folder.parent / "secret.json").write_text(SECRET)
    (folder / "backups" / "assistants_backup_link.json").symlink_to(folder / "secret.json")
    (folder / "backups" / "assistants_backup_folder.json").mkdir()
    return folder


def paths(name: str) -> set[str]:
    raw = name.encode("utf-8", "surrogatepass")
    return {quote(raw, safe=""), quote(raw, safe="/%\\:.~$")}


def test_no_name_in_an_address_leads_out_of_the_folder(site: Path, ada: FlaskClient) -> None:
    # As htmx asks: such an answer is a line, no page.
    token = {"X-CSRFToken": session_token(ada)} | PARTIAL
    ada.get("/backups")
    before = everything(site.parent)
    for number, name in enumerate(NAMES):
        # By each way to a file; the other addresses share their look-up, and get some each.
        for method, route in [*READING, *ROUTES[:: 1 if EVERY_ROUTE else 5 + number % 3]]:
            for path in paths(name):
                answer = ada.open(route.format(path), method=method, headers=token, buffered=True)
                where = (method, route.format(path), answer.status_code, answer.text[:300])
                # A browser shortens «..»; what then stands there may be a page of its own, or a question about all.
                assert answer.status_code < 500, where
                assert SECRET not in answer.text, where
                assert "root:x:0:0" not in answer.text, where
                assert "x" not in {line.partition("=")[0] for line in answer.headers.getlist("Set-Cookie")}, where
                if path == quote(name.encode("utf-8", "surrogatepass"), safe="") and name not in (".", "..", "..."):
                    # Files have no session: whoever asks for what is none there is nobody.
                    refused = {401} if route.startswith("/static/") else set()
                    assert answer.status_code in {400, 404, 405, 409, 422} | refused, where
    assert everything(site.parent) == before


def test_no_name_in_a_form_leads_out_of_the_folder(site: Path, ada: FlaskClient) -> None:
    token = session_token(ada)
    [own] = (path.name for path in (site / "backups").glob("assistants_backup_2*.json"))
    ada.get("/backups")
    before = everything(site.parent)
    fields = [("/import/backup", "name"), ("/import/undo", "name"), (f"/backups/{own}/compare", "with")]
    for name in NAMES:
        for path, field in fields:
            answer = ada.post(path, data={"csrf_token": token, field: name.encode("utf-8", "surrogatepass")})
            assert 400 <= answer.status_code < 500, (path, name, answer.status_code)
            assert SECRET not in answer.text
    assert everything(site.parent) == before


def test_no_name_of_an_upload_leads_out_of_the_folder(site: Path, ada: FlaskClient) -> None:
    token = session_token(ada)
    document = b'[{"id": "a", "title": "t", "prompt": "p", "createdAt": "2026-01-15"}]'
    before = everything(site.parent)
    for name in NAMES:
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n'
        sent = (
            head % name.replace('"', "").replace("\r\n", " ").encode("utf-8", "surrogatepass")
            + document
            + b"\r\n--x--\r\n"
        )
        headers = {"X-CSRFToken": token, "Content-Type": "multipart/form-data; boundary=x"}
        answer = ada.post("/backups/upload", data=sent, headers=headers)
        assert answer.status_code in (303, 422), (name, answer.status_code)
    new = [Path(path) for path in everything(site.parent).keys() - before.keys()]
    assert len(new) > 20
    assert {path.parent for path in new} == {site / "backups"}
    assert all(re.fullmatch(r"assistants_backup_\d{8}_\d{6}\.json", path.name) for path in new)


@pytest.mark.parametrize(
    "name",
    ["a b", 'a"; filename="evil', "a\r\nSet-Cookie: x=y", "a\u202egnp", "a;b=c", "a'b%41", "助手 \U0001f389", "a\tb"],
)
def test_a_download_is_named_as_its_file_and_nothing_else(site: Path, ada: FlaskClient, name: str) -> None:
    file = f"assistants_backup_{name}.json"
    (site / "backups" / file).write_text("[]")
    answer = ada.get(f"/backups/{quote(file, safe='')}/download", buffered=True)
    assert (answer.status_code, answer.text) == (200, "[]")
    assert not answer.headers.getlist("Set-Cookie")
    kind, options = parse_options_header(answer.headers["Content-Disposition"])
    assert kind == "attachment"
    assert options.keys() == {"filename"}
    assert options["filename"] == re.sub(r"[\r\n\t]", "_", file)
