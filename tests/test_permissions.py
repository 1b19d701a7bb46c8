"""Who may do what: the table of docs/people.md, held against every route and against the functions behind them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from itertools import combinations
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Flask

from tests.people import add_person, add_token, session_token, sign_in
from webadmin import access, accounts, backups, catalogue, jobs, operations, recovery, safety, saved_settings
from webadmin import config as settings
from webadmin.accounts import ALLOWED, COVERED, SYSTEM, Actor, ActorKind, NotAllowed, Permission, Purpose, Role
from webadmin.catalogue import Chosen
from webadmin.db import db, transaction
from webadmin.errors import Forbidden

DOCUMENT = Path(__file__).parent.parent / "docs" / "people.md"
COLUMNS = (Role.VIEWER, Role.EDITOR, Role.REVIEWER, Role.ADMIN)
FIELDS = {"title": "One", "desc": "d", "emoji": "1", "prompt": "p"}


def table() -> dict[str, dict[str, bool]]:
    """What the document says: permission → role → whether."""
    found = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            found[cells[0].strip("`")] = {role: cell == "yes" for role, cell in zip(COLUMNS, cells[2:], strict=True)}
    return found


TABLE = table()
# Each set of purposes that a token can have.
SETS = [frozenset(chosen) for size in (1, 2, 3) for chosen in combinations(Purpose, size)]


def covered() -> dict[str, set[str]]:
    """What the document says: purpose → permissions."""
    rows = re.findall(r"^\| \*\*(\w+)\*\* \| (.*) \|$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {purpose: set(re.findall(r"`([\w-]+)`", cell)) for purpose, cell in rows}


COVERS = covered()


def is_given(permission: Permission, role: str, purposes: Collection[str]) -> bool:
    """Whether the document gives it to a token of this role for these purposes."""
    return TABLE[permission][role] and any(permission in COVERS[purpose] for purpose in purposes)


def actor(role: str) -> Actor:
    return Actor(ActorKind.PERSON, role.title(), role)


def token_actor(role: str, *purposes: str) -> Actor:
    return Actor(ActorKind.TOKEN, "robot", role, purposes=frozenset(purposes))


def test_the_document_tells_what_the_program_does() -> None:
    assert {each: {role: each in ALLOWED[role] for role in COLUMNS} for each in Permission} == TABLE
    assert {purpose: set(covered) for purpose, covered in COVERED.items()} == COVERS
    assert list(COVERS) == list(Purpose)


def test_each_route_has_a_permission_or_is_open(app: Flask) -> None:
    routes = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert routes - access.OPEN - access.SIGNED_IN == access.NEEDED.keys() - {"dev.ui"}


def calls(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Method, address and endpoint of everything that asks for a permission."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "x", re.sub(r"<int[^>]*>", "1", rule.rule))
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            if rule.endpoint in access.NEEDED:
                yield method, path, rule.endpoint


@pytest.mark.parametrize("role", COLUMNS)
def test_a_person_reaches_exactly_what_the_table_gives(app: Flask, role: str) -> None:
    add_person(app, "Somebody", role=role)
    browser = app.test_client()
    sign_in(browser, "Somebody")
    headers = {"X-CSRFToken": session_token(browser)}
    for method, path, endpoint in calls(app):
        answer = browser.open(path, method=method, headers=headers)
        answer.close()
        assert (answer.status_code == 403) == (not TABLE[access.NEEDED[endpoint]][role]), (method, path)
        assert answer.status_code < 500, (method, path)


def test_a_token_reaches_exactly_what_its_role_and_its_purposes_give(app: Flask) -> None:
    client, seen = app.test_client(), set()
    found = [call for call in calls(app) if call[1].startswith("/api/") and call[1] != "/api/docs"]
    for role in COLUMNS:
        for purposes in SETS:
            token = add_token(app, f"{role} {' '.join(sorted(purposes))}", role=role, purposes=purposes)
            for method, path, endpoint in found:
                answer = client.open(path, method=method, headers={"Authorization": f"Bearer {token}"})
                answer.close()
                needed = access.NEEDED[endpoint]
                is_refused = answer.status_code == 403
                assert is_refused == (not is_given(needed, role, purposes)), (role, purposes, method, path)
                if is_refused and TABLE[needed][role] and method != "HEAD":
                    wanted = [purpose for purpose in COVERS if needed in COVERS[purpose]]
                    assert f"One with the purpose {' / '.join(wanted)} may." in answer.json["error"]["message"]
                    seen.add(needed)
    assert seen == {Permission.READ, Permission.WRITE, Permission.PUBLISH, *COVERED[Purpose.BACKUP]} - {
        Permission.MANAGE_BACKUPS,
        Permission.PUBLISH,
    }


def test_metrics_ask_a_token_for_the_purpose_of_reading(app: Flask) -> None:
    def status(*purposes: str) -> int:
        token = add_token(app, " ".join(purposes), role="viewer", purposes=purposes)
        return app.test_client().get("/metrics", headers={"Authorization": f"Bearer {token}"}).status_code

    assert [status("write"), status("read"), status("backup")] == [403, 200, 200]


def test_a_role_of_a_later_version_may_nothing(app: Flask) -> None:
    add_person(app, "Ada")
    with app.app_context(), transaction() as session:
        accounts.list_users(session)[0].role = "owner"
    browser = app.test_client()
    sign_in(browser, "Ada")
    assert browser.get("/assistants").status_code == 403
    assert browser.post("/sign-out", headers={"X-CSRFToken": session_token(browser)}).status_code == 303


def test_a_route_without_a_row_is_closed_to_administrators_too() -> None:
    with pytest.raises(Forbidden):
        access.check(SYSTEM, "a.new_one")


def fill() -> None:
    """A catalogue with one of each status, two backups and one in the bin, and one assistant in the trash."""
    with transaction() as session:
        for status in ("draft", "pending", "published", "rejected"):
            made = catalogue.create(session, SYSTEM, FIELDS, assistant_id=status)
            if status == "rejected":
                made = catalogue.set_status(session, SYSTEM, status, "pending", version=made.version)
            if status != "draft":
                catalogue.set_status(session, SYSTEM, status, status, version=made.version)
        catalogue.create(session, SYSTEM, FIELDS, assistant_id="gone")
        catalogue.remove(session, SYSTEM, "gone")
    for _ in range(3):
        backups.create(SYSTEM)
    backups.delete(SYSTEM, backup_name())


@pytest.fixture
def site(app: Flask, tmp_path: Path) -> Iterator[Path]:
    """A filled catalogue, in an application context; what is given is a file to import."""
    file = tmp_path / "import.json"
    records = [{"id": "new"}, {"id": "published", "status": "published"}]
    file.write_text(json.dumps([{"title": "New", "prompt": "p", **record} for record in records]))
    with app.app_context():
        fill()
        yield file


def backup_name() -> str:
    return backups.list_backups(db.session())[0].name


def in_transaction(act: Callable) -> Callable[[Actor, Path], object]:
    def do(who: Actor, _: Path) -> object:
        with transaction() as session:
            return act(session, who)

    return do


def move(id: str, status: str, **note: str) -> Callable[[Actor, Path], object]:
    def act(session, who: Actor) -> object:
        version = catalogue.get(session, id).version
        return catalogue.set_status(session, who, id, status, version=version, **note)

    return in_transaction(act)


def retitle(id: str) -> Callable[[Actor, Path], object]:
    return in_transaction(
        lambda session, who: catalogue.update(
            session, who, id, {"title": "Two"}, version=catalogue.get(session, id).version
        )
    )


def import_it(who: Actor, file: Path) -> object:
    options = operations.ImportOptions(mode=backups.Mode.MERGE)
    return operations.import_file(who, file, options, source_name="import.json")


def cancel_of_another(who: Actor, _: Path) -> object:
    return operations.cancel(who, safety.start_backup(SYSTEM).id)


ACTS: list[tuple[str, Permission, Callable[[Actor, Path], object]]] = [
    ("create", Permission.WRITE, in_transaction(lambda s, who: catalogue.create(s, who, FIELDS))),
    ("change a draft", Permission.WRITE, retitle("draft")),
    ("change what waits", Permission.WRITE, retitle("pending")),
    ("change what is published", Permission.PUBLISH, retitle("published")),
    ("submit", Permission.WRITE, move("draft", "pending")),
    ("withdraw", Permission.WRITE, move("pending", "draft")),
    ("submit again", Permission.WRITE, move("rejected", "pending")),
    ("publish", Permission.PUBLISH, move("pending", "published")),
    ("publish a draft", Permission.PUBLISH, move("draft", "published")),
    ("unpublish", Permission.PUBLISH, move("published", "draft")),
    ("reject", Permission.PUBLISH, move("pending", "rejected")),
    ("write the review note", Permission.PUBLISH, move("rejected", "rejected", note="Again.")),
    ("duplicate", Permission.WRITE, in_transaction(lambda s, who: catalogue.duplicate(s, who, "published", title="C"))),
    ("delete a draft", Permission.WRITE, in_transaction(lambda s, who: catalogue.remove(s, who, "draft"))),
    ("delete what is published", Permission.PUBLISH, in_transaction(lambda s, w: catalogue.remove(s, w, "published"))),
    (
        "put back", Permission.WRITE,
        in_transaction(lambda s, who: catalogue.put_back(s, who, catalogue.last_trash_number(s))),
    ),
    (
        "delete many", Permission.WRITE,
        lambda who, _: operations.change_assistants(who, Chosen(("draft",)), catalogue.to_trash, before="it"),
    ),
    ("back up", Permission.BACK_UP, lambda who, _: backups.create(who)),
    ("back up as a task", Permission.BACK_UP, lambda who, _: jobs.wait(safety.start_backup(who).id, 60)),
    ("export", Permission.EXPORT, lambda who, _: backups.export(who).file.close()),
    ("measure an export", Permission.EXPORT, lambda who, _: backups.measure_export(who)),
    ("import", Permission.IMPORT, import_it),
    ("delete a backup", Permission.MANAGE_BACKUPS, lambda who, _: backups.delete(who, backup_name())),
    ("bring a backup back", Permission.MANAGE_BACKUPS, lambda who, _: backups.unbin(who, backups.list_bin()[0].name)),
    ("keep a file", Permission.MANAGE_BACKUPS, lambda who, file: backups.keep_upload(who, file, "import.json")),
    ("pin", Permission.MANAGE_BACKUPS, in_transaction(lambda s, w: backups.pin(s, w, backup_name(), is_pinned=True))),
    (
        "note", Permission.MANAGE_BACKUPS,
        in_transaction(lambda s, who: backups.change_note(s, who, backup_name(), "n", shown="")),
    ),
    (
        "save a setting", Permission.ADMINISTER,
        in_transaction(lambda s, w: saved_settings.save(s, w, {"BACKUP_MAX_COUNT": "9"}, current=settings.current())),
    ),
    (
        "add a person", Permission.ADMINISTER,
        in_transaction(lambda s, who: accounts.add_user(s, who, "Bob", "a long walk home")),
    ),
    ("make a token", Permission.ADMINISTER, in_transaction(lambda s, who: accounts.issue_token(s, who, "robot"))),
    ("cancel another's task", Permission.MANAGE_BACKUPS, cancel_of_another),
]  # fmt: skip


@pytest.mark.parametrize(("needed", "act"), [act[1:] for act in ACTS], ids=[act[0] for act in ACTS])
def test_an_act_is_refused_by_the_domain_itself(site: Path, needed: Permission, act: Callable) -> None:
    for role in COLUMNS:
        if not TABLE[needed][role]:
            with pytest.raises(NotAllowed):
                act(actor(role), site)
    for purposes in SETS:
        if not is_given(needed, Role.ADMIN, purposes):
            with pytest.raises(NotAllowed):
                act(token_actor(Role.ADMIN, *purposes), site)
    least = next(role for role in COLUMNS if TABLE[needed][role])
    purpose = next((purpose for purpose in COVERS if needed in COVERS[purpose]), None)
    act(token_actor(least, purpose) if purpose else actor(least), site)


def test_a_recovery_is_an_administrators(site: Path) -> None:
    with pytest.raises(NotAllowed):
        recovery.recover(actor(Role.REVIEWER))


def test_many_at_once_leave_out_what_is_published(site: Path) -> None:
    chosen = Chosen(("draft", "published", "pending"))
    result = operations.change_assistants(actor(Role.EDITOR), chosen, catalogue.to_trash, before="it")
    assert result.counts == {catalogue.DONE: 2, catalogue.NOT_ALLOWED: 1}


def test_own_task_can_be_cancelled(site: Path) -> None:
    who = actor(Role.EDITOR)
    assert operations.cancel(who, safety.start_backup(who).id)


def leads(html: str, path: str) -> Iterator[tuple[str, str]]:
    """Method and address of every link, form and button of a page that leads somewhere on the site."""
    page = BeautifulSoup(html, "html.parser")
    for link in page.select("a[href^='/']"):
        yield "GET", link["href"]
    for form in page.select("form[method=post]"):
        if form.select("button:not([formaction]):not([type=button]):not([formmethod=dialog]):not([hidden])"):
            yield "POST", form.get("action") or path
    for button in page.select("button[formaction^='/']"):
        yield "POST", button["formaction"]


@pytest.mark.parametrize("role", COLUMNS)
def test_nothing_on_a_page_leads_where_its_reader_may_not_go(app: Flask, role: str) -> None:
    with app.app_context():
        fill()
        backup = f"/backups/{backup_name()}"
    add_person(app, "Somebody", role=role)
    browser = app.test_client()
    sign_in(browser, "Somebody")
    pages = ["/", "/assistants", "/assistants/actions/draft", "/assistants/edit/draft", "/assistants/edit/published"]
    pages += ["/assistants/history/published", "/trash", "/backups", "/backups/bin", backup, f"{backup}/compare"]
    pages += ["/health", "/profile", "/api/docs"]
    matching = app.url_map.bind("localhost")
    for path in pages:
        answer = browser.get(path)
        assert answer.status_code == 200, path
        for method, address in leads(answer.text, path):
            endpoint = matching.match(urlsplit(address).path, method)[0]
            assert access.is_open_to(actor(role), endpoint), f"{path} leads to {method} {address}"
