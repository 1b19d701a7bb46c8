"""Entries: in the transaction of their act, in one of their own, waiting while the database is locked; refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from webadmin import audit, clock
from webadmin.accounts import SYSTEM, Actor, ActorKind
from webadmin.audit import REFUSALS_OF_ALL, REFUSALS_OF_ONE, Act, Kind, Origin, Thing
from webadmin.db import transaction

ADA = Actor(ActorKind.PERSON, "Ada", id=7)


def acts(file) -> list[str]:
    return [row["act"] for row in file.execute("SELECT act FROM aa_audit ORDER BY number")]


def test_entry_says_who_did_what_from_where(opened, file):
    with audit.coming_from(Origin("page", "10.0.0.9")), transaction() as session:
        thing = Thing(Kind.ASSISTANT, "ast_1", "x" * 300)
        audit.record(session, ADA, Act.ASSISTANT_CHANGED, thing, before="revision:1", fields=["title"], note=None)
    row = dict(file.execute("SELECT * FROM aa_audit").fetchone())
    assert row.pop("at").endswith("Z")
    assert row == {
        "number": 1, "who_kind": "person", "who_id": "7", "who_name": "Ada", "act": "assistant.change",
        "result": "done", "thing_kind": "assistant", "thing_id": "ast_1", "thing_name": "x" * 254 + "…",
        "way": "page", "address": "10.0.0.9", "before_ref": "revision:1", "after_ref": None,
        "details": '{"fields": ["title"]}',
    }  # fmt: skip


def test_entry_goes_with_its_act(opened, file):
    def act() -> None:
        with transaction() as session:
            audit.record(session, SYSTEM, Act.UPGRADED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
    assert acts(file) == []


def test_texts_that_no_database_takes_are_written_all_the_same(opened, file):
    audit.note(SYSTEM, Act.EXPORTED, Thing(Kind.ASSISTANT, "\ud800\0"), names={"\udfff"})
    assert file.execute("SELECT thing_id FROM aa_audit").fetchone()[0] == "?\ufffd"


def test_entry_waits_while_another_program_holds_the_lock(opened, file):
    file.execute("BEGIN IMMEDIATE")
    audit.note(ADA, Act.SIGN_IN)
    audit.refuse(Act.SIGN_IN_REFUSED)
    file.execute("ROLLBACK")
    assert acts(file) == []
    audit.settle()
    assert acts(file) == [Act.SIGN_IN, Act.SIGN_IN_REFUSED]
    audit.settle()
    assert len(acts(file)) == 2


def test_flood_of_refusals_is_counted_and_not_listed(opened, file):
    with time_machine.travel(0, tick=False) as clock:
        for host in range(REFUSALS_OF_ALL):
            audit.refuse(Act.REQUEST_REFUSED, caller=f"address {host % 200}")
        for _ in range(REFUSALS_OF_ALL):
            audit.refuse(Act.REQUEST_REFUSED, caller="address 7")
        assert len(acts(file)) == REFUSALS_OF_ALL
        for host in range(50):
            audit.refuse(Act.REQUEST_REFUSED, caller=f"address {1000 + host}")
        assert len(acts(file)) == REFUSALS_OF_ALL
        audit.refuse(Act.SIGN_IN_REFUSED, caller="address 7")  # Of another kind: not hidden by the others.
        assert len(acts(file)) == REFUSALS_OF_ALL + 1
        clock.shift(3601)
        audit.settle()
        audit.settle()
        audit.settle()
    told = file.execute(
        "SELECT thing_id, json_extract(details, '$.count') AS count FROM aa_audit WHERE act = ? ORDER BY thing_id",
        (Act.REFUSALS_LEFT_OUT,),
    )
    # 2 of the first round and 18 of the second are within what one caller may have, which all of them had used up.
    assert {row["thing_id"]: row["count"] for row in told} == {
        "address 7": REFUSALS_OF_ALL + 2 - REFUSALS_OF_ONE,
        "all": REFUSALS_OF_ONE - 2 + 50,
    }


def test_old_entries_are_removed_once_the_log_itself_is_older(opened, file):
    def add(count: int) -> None:
        with transaction() as session:
            for _ in range(count):
                audit.record(session, SYSTEM, Act.UPGRADED)

    now = clock.now()
    with time_machine.travel(now - timedelta(days=400), tick=False):
        add(audit.KEPT_MIN + 5)
    assert audit.prune(SYSTEM, now) == 0
    add(audit.KEPT_MIN - 1)
    # A clock that is wrong by years finds the log as old as its entry 1,000 before the end, and that is of the day.
    assert audit.prune(SYSTEM, now + timedelta(days=9000)) == 0
    add(2)
    assert audit.prune(SYSTEM, now) == audit.KEPT_MIN + 5
    last = dict(file.execute("SELECT * FROM aa_audit ORDER BY number DESC").fetchone())
    assert (last["act"], '"count": 1005' in last["details"]) == (Act.LOG_PRUNED, True)
    with transaction() as session:
        assert not audit.find_faults(session.connection())
