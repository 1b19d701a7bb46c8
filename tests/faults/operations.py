"""What is done while the storage fails, and what it comes to when it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx

from tests.faults.world import Answer, State, World


@dataclass(frozen=True)
class Operation:
    """`prepare` makes what is needed and gives it to the others; `expect` tells the state after from that before."""

    act: Callable[[World, Any], Answer]
    expect: Callable[[State, Any], State] = lambda before, _given: before
    prepare: Callable[[World], Any] = lambda world: world.next_number()


def _records(title: str, *ids: str) -> list[dict[str, Any]]:
    return [{"id": id, "title": title, "prompt": "p" * 3000} for id in ids]


def _title(before: State, id: str, title: str) -> State:
    _, status, version = before.assistants.get(id, ("", "draft", 0))
    assistants = before.assistants | {id: (title, status, version + 1)}
    return replace(before, assistants=assistants, revisions=before.revisions + Counter([id]))


def _create(world: World, number: int) -> Answer:
    fields = {"id": f"new_{number}", "title": "new", "desc": "d", "emoji": "1", "prompt": "p" * 6000}
    return world.call("POST", "/api/assistants", json=fields)


def _edit(world: World, number: int) -> Answer:
    version = world.look().assistants["ast_0"][2]
    return world.call("PUT", "/api/assistants/ast_0", json={"title": f"edit {number}", "version": version})


def _created(world: World) -> int:
    number = world.next_number()
    assert _create(world, number).is_done
    return number


def _deleted(before: State, number: int) -> State:
    left = {id: each for id, each in before.assistants.items() if id != f"new_{number}"}
    gone = Counter([f"new_{number}"])
    return replace(before, assistants=left, trash=before.trash + gone, revisions=before.revisions + gone)


def _merge(number: int) -> list[dict[str, Any]]:
    return _records(f"merge {number}", "ast_0", "ast_1", f"merged_{number}")


def _replace(number: int) -> list[dict[str, Any]]:
    return _records(f"replace {number}", *(f"ast_{each}" for each in range(4)), f"replaced_{number}")


def _edited_backup(world: World) -> tuple[str, State]:
    """A backup, and the state that it holds, which is not that of now."""
    name, then = world.made_backup(), world.look()
    assert _edit(world, world.next_number()).is_done
    return name, then


def _imported(world: World) -> tuple[str, State]:
    """The safety backup of an import, and the state before it."""
    then = world.look()
    assert world.import_records(_merge(world.next_number()), "merge").is_done
    safety = max(world.look().files - then.files)
    return safety, then


def _as_then(before: State, given: tuple[str, State]) -> State:
    _, then = given
    records = [{"id": id, "title": title} for id, (title, _, _) in then.assistants.items()]
    return before.imported(records, is_all=True)


def _sign_in(world: World, _number: int) -> Answer:
    with httpx.Client(base_url=world.server.url, timeout=100) as browser:
        return world.sign_in(browser)


def _save_settings(world: World, number: int) -> Answer:
    fields = {"BACKUP_KEEP_DAILY": "7", "BACKUP_KEEP_WEEKLY": "4", "BACKUP_KEEP_MONTHLY": "12", "BACKUP_MAX_COUNT": ""}
    return world.post("/settings/retention", BACKUP_RETENTION_DAYS=str(100 + number), **fields)


def _settings(before: State, number: int) -> State:
    fields = {"BACKUP_RETENTION_DAYS": str(100 + number), "BACKUP_KEEP_DAILY": "7"}
    fields |= {"BACKUP_KEEP_WEEKLY": "4", "BACKUP_KEEP_MONTHLY": "12"}
    return replace(before, settings=before.settings | fields)


def _newest(world: World) -> str:
    return max(world.look().files)


def _pin(world: World, given: tuple[str, int]) -> Answer:
    return world.post(f"/backups/{given[0]}/pin", note=f"note {given[1]}", shown="")


def _pinned(before: State, given: tuple[str, int]) -> State:
    return replace(before, marks=before.marks | {given[0]: (1, f"note {given[1]}")})


def _without_today(world: World) -> None:
    """Today's automatic backup and snapshot are not there."""
    for path in world.site.backups.glob("assistants_backup_*.json"):
        if '"kind":"scheduled"' in path.read_text(encoding="utf-8")[:400].replace(" ", ""):
            path.unlink()
    for path in (world.site.data / "snapshots").glob("assistants_*"):
        path.unlink()


OPERATIONS: dict[str, Operation] = {
    "create": Operation(_create, lambda before, number: _title(before, f"new_{number}", "new")),
    "edit": Operation(_edit, lambda before, number: _title(before, "ast_0", f"edit {number}")),
    "delete": Operation(lambda world, n: world.call("DELETE", f"/api/assistants/new_{n}"), _deleted, _created),
    "manual backup": Operation(lambda world, _: world.back_up()),
    "import, merge": Operation(
        lambda world, n: world.import_records(_merge(n), "merge"), lambda before, n: before.imported(_merge(n))
    ),
    "import, replace": Operation(
        lambda world, n: world.import_records(_replace(n), "replace"),
        lambda before, n: before.imported(_replace(n), is_all=True),
    ),
    "restore": Operation(
        lambda world, given: world.lead_through("/import/backup", "?mode=replace", name=given[0]),
        _as_then,
        _edited_backup,
    ),
    "undo": Operation(lambda world, given: world.lead_through("/import/undo", name=given[0]), _as_then, _imported),
    "sign-in": Operation(_sign_in),
    "settings": Operation(_save_settings, _settings),
    "pin": Operation(_pin, _pinned, lambda world: (world.made_backup(), world.next_number())),
    "delete a backup": Operation(
        lambda world, name: world.post(f"/backups/{name}/delete"), prepare=lambda world: world.made_backup()
    ),
    "upload": Operation(lambda world, n: world.upload(n)),
    "export": Operation(lambda world, _: world.call("GET", "/api/assistants/backup/export")),
    "automatic backup": Operation(lambda world, _: world.task("back_up"), prepare=_without_today),
    "snapshot": Operation(lambda world, _: world.task("take_snapshot"), prepare=_without_today),
    "retention": Operation(lambda world, _: world.task("keep_house"), prepare=lambda world: world.made_backup()),
    "proof": Operation(lambda world, _: world.task("prove_new"), prepare=lambda world: world.put_file()),
}
