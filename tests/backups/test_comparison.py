"""A backup compared with the catalogue and with another, and one assistant found in backups."""

import gzip
import json
from dataclasses import dataclass, field

import pytest

from tests.factories import make_record, store
from webadmin import backups, catalogue, jobs
from webadmin.accounts import SYSTEM
from webadmin.backups import InvalidBackup, Since
from webadmin.db import transaction
from webadmin.errors import NotFound


@pytest.fixture
def context(app):
    with app.app_context():
        yield app


def make(**options):
    return backups.create(SYSTEM, **options).name


def ids(comparison, since):
    return [each.id for each in comparison.page(since, 0, 50)]


def change_everything(app):
    """Four records, of which one is changed, one deleted; one is added."""
    store(app, *(make_record(name) for name in ("changed", "deleted", "same", "日本")))
    name = make()
    with transaction() as session:
        catalogue.update(session, SYSTEM, "changed", {"prompt": "New", "tags": []}, version=1)
        catalogue.remove(session, SYSTEM, "deleted")
    store(app, make_record("added"))
    return name


def test_each_record_is_on_one_list(context):
    found = backups.compare(change_everything(context))
    assert found.counts == {"changed": 1, "added": 1, "deleted": 1, "same": 2}
    assert {since.value: ids(found, since) for since in Since} == {
        "changed": ["changed"], "added": ["added"], "deleted": ["deleted"], "same": ["same", "日本"],
    }  # fmt: skip
    [changed] = found.page(Since.CHANGED, 0, 50)
    assert {"prompt", "tags"} <= set(changed.fields)
    assert (changed.version_then, changed.version_now) == (1, 2)


def test_two_backups_are_compared_without_the_catalogue(context):
    old = change_everything(context)
    new = make()
    with transaction() as session:
        catalogue.remove(session, SYSTEM, "same")
    assert backups.compare(old, new).counts == {"changed": 1, "added": 1, "deleted": 1, "same": 2}
    assert backups.compare(new, old).counts == {"changed": 1, "added": 1, "deleted": 1, "same": 2}
    assert ids(backups.compare(new, old), Since.ADDED) == ["deleted"]


def test_comparison_is_found_again_until_something_changes(context):
    name = change_everything(context)
    assert backups.find_comparison(name) is None
    made = backups.compare(name)
    assert backups.find_comparison(name) == made
    with transaction() as session:
        catalogue.remove(session, SYSTEM, "same")
    assert backups.find_comparison(name) is None


def test_comparisons_are_few_and_leave_no_scratch(context):
    name = change_everything(context)
    for number in range(12):
        store(context, make_record(f"more{number:02}"))
        backups.compare(name)
    assert len(list(jobs.folder().glob("scratch-*"))) == 8


def test_pages_hold_everything_once(context):
    store(context, *(make_record(f"r{number:03}") for number in range(120)))
    name = make()
    found = backups.compare(name)
    pages = [found.page(Since.SAME, number, 50) for number in range(4)]
    assert [len(page) for page in pages] == [50, 50, 20, 0]
    assert len({each.id for page in pages for each in page}) == 120


def test_cancelled_comparison_leaves_nothing(context):
    name = change_everything(context)

    @dataclass
    class Stopped:
        told: list[str] = field(default_factory=list)

        def update(self, phase, done=0, total=None):
            self.told.append(phase)

        def check_cancelled(self):
            if "comparing" in self.told:
                raise jobs.Cancelled

    with pytest.raises(jobs.Cancelled):
        backups.compare(name, progress=Stopped())
    assert list(jobs.folder().glob("scratch-*")) == []


def test_file_that_does_not_exist_or_cannot_be_read_is_refused(context, folder):
    name = make()
    (folder / "backups" / "assistants_backup_bad.json").write_text("hello")
    for one, two in (("assistants_backup_none.json", None), (name, "assistants_backup_none.json")):
        with pytest.raises(NotFound):
            backups.compare(one, two)
    with pytest.raises(InvalidBackup):
        backups.compare("assistants_backup_bad.json")


@pytest.mark.parametrize("record_id", ["ast_1", 'a"b', "日本", 'a,"title":b'])
def test_one_record_is_found_in_the_file_as_it_was(context, record_id):
    store(context, make_record(record_id, extra={"colour": b'"blue"'}), make_record("other"))
    name = make()
    assert backups.find_in_backup(name, record_id) == make_record(record_id, extra={"colour": b'"blue"'})
    assert backups.find_in_backup(name, "nobody") is None


def test_record_is_found_in_files_of_other_programs(context, folder):
    content = json.dumps([{"title": "T", "prompt": "p", "id": "\u65e5"}]).encode()
    for name, data in (("assistants_backup_a.json", content), ("assistants_backup_b.json", gzip.compress(content))):
        (folder / "backups").mkdir(exist_ok=True)
        (folder / "backups" / name).write_bytes(data)
        assert backups.find_in_backup(name, "日").title == "T"


def test_record_of_an_altered_or_swapped_file_is_not_given_out(context, folder):
    store(context, make_record())
    first = make()
    with transaction() as session:
        catalogue.update(session, SYSTEM, "ast_1", {"desc": "x"}, version=1)
    second = make()
    one, two = folder / "backups" / first, folder / "backups" / second
    a, b = one.read_bytes(), two.read_bytes()
    one.write_bytes(b)
    two.write_bytes(a.replace(b"Code Reviewer", b"Code Reviewes"))
    copied = "assistants_backup_copied.json"
    (folder / "backups" / copied).write_bytes(two.read_bytes())
    for name in (first, second, copied):
        with pytest.raises(InvalidBackup):
            backups.find_in_backup(name, "ast_1")
    assert backups.states_in_backups("ast_1", patience_seconds=5) == ([], 0)


def test_states_in_backups_tell_which_are_equal(context):
    empty = make()
    store(context, make_record())
    first, same = make(), make()
    with transaction() as session:
        after = catalogue.update(session, SYSTEM, "ast_1", {"desc": "x"}, version=1)
    last = make()
    found, left = backups.states_in_backups("ast_1", patience_seconds=5)
    assert left == 0
    assert [kept.backup.name for kept in found] == [last, same, first, empty]
    assert [kept.mark for kept in found] == [
        backups.mark_of(after), backups.mark_of(make_record()), backups.mark_of(make_record()), None,
    ]  # fmt: skip


def test_states_go_on_where_patience_ended(context):
    store(context, make_record())
    make(), make()
    found, left = backups.states_in_backups("ast_1", patience_seconds=-1)
    assert (found, left) == ([], 2)
