"""Writers of one process: each has its turn, gives it back after an error, and is told when it waited too long."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.factories import make_record, store, stored
from tests.people import close
from webadmin import catalogue
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.db import DatabaseLocked, transaction


@pytest.fixture
def impatient(make_config):
    """The application when it waits half a second for a lock."""
    built = create_app(make_config(DB_TIMEOUT="500"))
    yield built
    close(built)


def add_one(app):
    with app.app_context(), transaction() as session:
        record = catalogue.get(session, "ast_1")
        catalogue.update(session, SYSTEM, "ast_1", {"desc": str(int(record.desc) + 1)}, version=record.version)


def test_many_writers_lose_nothing(app):
    store(app, make_record(desc="0"))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: add_one(app), range(30)))
    assert (stored(app).desc, stored(app).version) == ("30", 31)


def test_turn_is_given_back_after_an_error(app):
    with pytest.raises(ZeroDivisionError), app.app_context(), transaction():
        raise ZeroDivisionError
    store(app, make_record(desc="0"))
    add_one(app)
    assert stored(app).desc == "1"


def test_writer_that_waited_too_long_is_told_and_later_let_in(impatient):
    store(impatient, make_record(desc="0"))
    holds, may_end = threading.Event(), threading.Event()

    def hold():
        with impatient.app_context(), transaction():
            holds.set()
            may_end.wait(20)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert holds.wait(20)
        with pytest.raises(DatabaseLocked):
            add_one(impatient)
        may_end.set()
        holding.result()
    add_one(impatient)
    assert stored(impatient).desc == "1"
