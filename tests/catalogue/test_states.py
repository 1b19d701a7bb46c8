"""The states that an assistant had, and the way back to them."""

import pytest

from tests.factories import make_record, store, stored
from webadmin import catalogue
from webadmin.accounts import SYSTEM
from webadmin.db import transaction
from webadmin.errors import Conflict, NotFound, StaleVersion


def change(app, version, **fields):
    with app.app_context(), transaction() as session:
        return catalogue.update(session, SYSTEM, "ast_1", fields, version=version)


def bring_back(app, state, version, **options):
    with app.app_context(), transaction() as session:
        return catalogue.bring_back(session, SYSTEM, state, version=version, source="backup x.json", **options)


def history(app, **options):
    with app.app_context(), transaction() as session:
        return catalogue.list_states(session, "ast_1", **options)


def test_whole_state_comes_back_as_a_new_version(app):
    old = make_record(extra={"colour": b'"blue"'}, tags=["a"])
    store(app, old)
    change(app, 1, title="Other", tags=["b"], extra={})
    back = bring_back(app, old, 2)
    assert catalogue.equal(back, stored(app))
    assert set(catalogue.changed_fields(old, back)) == {"updated_at"}
    assert back.version == 3
    assert next((state.source, state.record.version) for state in history(app)) == ("backup x.json", 3)


def test_version_goes_above_that_of_the_state_too(app):
    store(app, make_record())
    assert bring_back(app, make_record(title="Later", version=9), 1).version == 10


def test_texts_above_the_limits_come_back(app):
    store(app, make_record())
    assert bring_back(app, make_record(title="t" * 5000), 1).title == "t" * 5000


def test_one_field_comes_back_and_the_rest_stays(app):
    old = make_record(extra={"colour": b'"blue"'})
    store(app, old)
    change(app, 1, title="Other", prompt="New prompt", extra={"colour": b'"red"'})
    assert bring_back(app, old, 2, field="prompt").title == "Other"
    assert stored(app).prompt == old.prompt
    back = bring_back(app, old, 3, field="colour")
    assert (back.extra, back.title, back.version) == ({"colour": b'"blue"'}, "Other", 4)


def test_what_is_equal_writes_nothing(app):
    store(app, make_record())
    for options in ({}, {"field": "prompt"}):
        assert bring_back(app, make_record(version=7), 1, **options).version == 1
    assert len(history(app)) == 1


def test_field_that_means_nothing_alone_is_refused(app):
    store(app, make_record())
    for field in ("status", "published_at", "nothing"):
        with pytest.raises(NotFound):
            bring_back(app, make_record(status="draft"), 1, field=field)


def test_state_that_was_not_looked_at_is_not_overwritten(app):
    store(app, make_record())
    change(app, 1, title="Theirs")
    with pytest.raises(StaleVersion):
        bring_back(app, make_record(), 1)
    with pytest.raises(Conflict):
        bring_back(app, make_record(), None)
    assert stored(app).title == "Theirs"


def test_deleted_one_comes_back_above_every_version_it_had(app):
    old = make_record()
    store(app, old)
    change(app, 1, title="Other")
    with app.app_context(), transaction() as session:
        catalogue.remove(session, SYSTEM, "ast_1", version=2)
    with pytest.raises(NotFound):
        bring_back(app, old, 2)
    assert bring_back(app, old, None).version == 3
    assert stored(app).title == old.title


def test_states_are_read_page_by_page(app):
    store(app, make_record())
    for version in range(1, 4):
        change(app, version, title=f"Title {version + 1}")
    first = history(app, most=2)
    assert [state.record.version for state in first] == [4, 3]
    assert [state.record.version for state in history(app, before=first[-1].number)] == [2, 1]
    with app.app_context(), transaction() as session:
        assert catalogue.get_state(session, "ast_1", first[0].number).record.title == "Title 4"
        with pytest.raises(NotFound):
            catalogue.get_state(session, "another", first[0].number)
