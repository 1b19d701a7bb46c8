"""One backup compared, one assistant brought back from it, and the states of one assistant; without scripts."""

import json

import pytest

from tests.factories import make_record, store, stored
from tests.web.conftest import PARTIAL, soup, words
from webadmin import backups, catalogue, jobs
from webadmin.accounts import SYSTEM
from webadmin.db import transaction
from webadmin.web import comparisons


def make(app, **options):
    with app.app_context():
        return backups.create(SYSTEM, **options).name


def edit(app, record_id="ast_1", **fields):
    with app.app_context(), transaction() as session:
        version = catalogue.get(session, record_id).version
        return catalogue.update(session, SYSTEM, record_id, fields, version=version)


def remove(app, record_id="ast_1"):
    with app.app_context(), transaction() as session:
        catalogue.remove(session, SYSTEM, record_id)


def revisions(app, record_id="ast_1"):
    with app.app_context(), transaction() as session:
        return catalogue.list_states(session, record_id)


def tabs(page):
    return [words(tab) for tab in page.select(".tabs a")]


def undo(browser):
    """Press Undo on the toast of the next page."""
    return browser.submit(browser.page("/backups").select_one("#toasts form"))


@pytest.fixture
def name(app):
    """A backup, after which one assistant was changed, one deleted, and one added; one is the same."""
    store(app, make_record(), make_record("gone", title="Gone"), make_record("same"))
    made = make(app)
    edit(app, prompt="You review code changes.\nQuote each line.", tags=["coding", "git"])
    remove(app, "gone")
    store(app, make_record("new", title="New"))
    return made


def test_page_of_a_backup_loads_its_comparison(browser, name):
    link = browser.page(f"/backups/{name}").select_one("[hx-trigger=load][hx-get$='/compare']")
    part = soup(browser.get(link["hx-get"], headers=PARTIAL))
    assert part.select_one("#compare")
    assert not part.select_one("html")
    assert "Changed since 1" in tabs(browser.page(link.a["href"]))


def test_each_kind_has_its_tab(browser, name):
    page = browser.page(f"/backups/{name}/compare")
    assert tabs(page) == ["Changed since 1", "Added since 1", "Deleted since 1", "Same 1"]
    [row] = page.select("tbody")
    assert all(
        word in words(row) for word in ("Code Reviewer", "System prompt +1 −1, Tags", "v1", "v2", "Restore this one")
    )
    links = [tab["href"] for tab in page.select(".tabs a")]
    assert [words(browser.page(link).select_one("tbody .entry-title")) for link in links[1:3]] == ["New", "Gone"]
    assert not browser.page(links[1]).select("button[formaction]")


def test_row_opens_to_its_diff_and_closes_again(browser, name):
    link = browser.page(f"/backups/{name}/compare").select_one("tbody a")
    opened = soup(browser.get(link["hx-get"], headers=PARTIAL))
    assert "Quote each line." in words(opened.select_one(".diff .added"))
    assert [words(each) for each in opened.select(".tags ins, .tags del")] == ["git", "review"]
    closed = soup(browser.get(opened.select_one("tbody a")["hx-get"], headers=PARTIAL))
    assert not closed.select(".diff")
    page = browser.page(link["href"])
    assert "Quote each line." in words(page.select_one("main .diff .added"))


def test_one_comes_back_as_a_new_version_and_undo_takes_it_away(app, browser, name):
    page = browser.page(f"/backups/{name}/compare")
    button = page.select_one("button[formaction]")
    answer = browser.post(button["formaction"], version=button["value"])
    assert answer.status_code == 303
    assert (stored(app).prompt, stored(app).version) == (make_record().prompt, 3)
    assert revisions(app)[0].source == f"backup {name}"
    assert undo(browser).status_code == 303
    assert (stored(app).prompt, stored(app).version) == ("You review code changes.\nQuote each line.", 4)


def test_one_field_comes_back_alone(app, browser, name):
    form = browser.page(f"/backups/{name}/compare/ast_1").select_one("main form")
    assert [button["value"] for button in form.select("button[name=field]")] == ["prompt", "tags"]
    browser.submit(form, field="prompt")
    assert (stored(app).prompt, stored(app).tags) == (make_record().prompt, ["coding", "git"])


def test_deleted_one_comes_back_and_undo_deletes_it_again(app, browser, name):
    page = browser.page(f"/backups/{name}/compare?tab=deleted")
    button = page.select_one("button[formaction]")
    browser.post(button["formaction"], version=button["value"])
    assert stored(app, "gone").title == "Gone"
    undo(browser)
    assert browser.get("/assistants/edit/gone").status_code == 404


def test_what_changed_since_the_list_was_shown_is_not_overwritten(app, browser, name):
    button = browser.page(f"/backups/{name}/compare").select_one("button[formaction]")
    edit(app, title="Theirs")
    answer = browser.post(button["formaction"], version=button["value"])
    page = browser.page(answer.location)
    assert "Nothing was changed" in words(page.select_one("#toasts"))
    assert "Theirs" in words(page)
    assert stored(app).title == "Theirs"


def test_one_put_back_meanwhile_is_not_replaced(app, browser, name):
    store(app, make_record("gone", title="Here again"))
    browser.post(f"/backups/{name}/restore/gone", version="")
    assert stored(app, "gone").title == "Here again"


def test_undo_does_not_overwrite_a_later_edit(app, browser, name):
    browser.post(f"/backups/{name}/restore/ast_1", version="2")
    edit(app, title="Later")
    undo(browser)
    assert (stored(app).title, stored(app).version) == ("Later", 4)


def test_two_backups_are_compared_and_restore_nothing(app, browser, name):
    other = make(app)
    page = browser.page(f"/backups/{name}/compare?with={other}")
    assert tabs(page) == ["Changed 1", "Only in the other 1", "Only in this one 1", "Same 1"]
    assert not page.select("button[formaction]")
    assert other in page.select_one("#compare .menu [aria-current]")["href"]
    assert "Quote each line." in words(browser.page(page.select_one("tbody a")["href"]))


def test_long_list_has_pages(app, browser):
    store(app, *(make_record(f"r{number:03}") for number in range(60)))
    page = browser.page(f"/backups/{make(app)}/compare")
    assert len(page.select("tbody")) == 50
    second = browser.page(page.select_one("[rel=next]")["href"])
    assert (len(second.select("tbody")), second.select_one("[rel=next]")) == (10, None)


def test_large_file_is_compared_as_a_task_when_asked(app, browser, name, monkeypatch):
    monkeypatch.setattr(comparisons, "_AT_ONCE_BYTES", 10)
    page = browser.page(f"/backups/{name}/compare")
    assert not page.select(".tabs")
    answer = browser.submit(page.select_one("#compare form[method=post]"))
    browser.settled(answer.location)
    assert "Changed since 1" in tabs(browser.page(f"/backups/{name}/compare"))


def test_running_comparison_is_not_started_twice(app, browser, name, monkeypatch):
    monkeypatch.setattr(comparisons, "_AT_ONCE_BYTES", 10)
    params = {"name": name, "with": None}

    def work(progress):
        while True:
            progress.check_cancelled()

    with app.app_context():
        job = jobs.start("compare", SYSTEM, work, title=comparisons.Message("Comparing"), params=params)
    try:
        link = browser.page(f"/backups/{name}/compare").select_one("#compare a.btn")
        assert link["href"] == f"/jobs/{job.id}"
        assert browser.post(f"/backups/{name}/compare").location == f"/jobs/{job.id}"
    finally:
        browser.post(f"/jobs/{job.id}/cancel")
        with app.app_context():
            jobs.wait(job.id, 10)


def test_altered_file_is_compared_but_gives_nothing_out(app, browser, folder, name):
    path = folder / "backups" / name
    path.write_bytes(path.read_bytes().replace(b"Code Reviewer", b"Code Reviewes"))
    browser.post(f"/backups/{name}/verify")
    browser.settled(f"/backups/{name}")
    page = browser.page(f"/backups/{name}/compare")
    assert tabs(page)[0] == "Changed since 2"
    assert not page.select("button[formaction]")
    answer = browser.post(f"/backups/{name}/restore/ast_1", version="2")
    assert answer.status_code == 422
    assert stored(app).version == 2


def test_file_that_cannot_be_read_says_so_in_the_card(app, browser, folder):
    (folder / "backups").mkdir(exist_ok=True)
    (folder / "backups" / "assistants_backup_x.json").write_text("hello")
    page = browser.page("/backups/assistants_backup_x.json/compare")
    assert "does not begin like a JSON document" in words(page.select_one("#compare .note.bad"))


def test_unknown_backup_or_assistant_is_404(browser, name):
    for path in ("/backups/assistants_backup_none.json/compare", f"/backups/{name}/compare/nobody"):
        assert browser.get(path).status_code == 404


def lines(page):
    return [words(row) for row in page.select("#states tbody tr")]


def test_history_shows_revisions_with_the_backups_that_hold_them(app, browser, name):
    make(app), make(app)
    newest, first = lines(browser.page("/assistants/history/ast_1"))
    assert all(word in newest for word in ("v2", "System prompt +1 −1, Tags", "in 2 backups", "Edit"))
    assert all(word in first for word in ("v1", "in 1 backup", "Imported", "Put back"))


def test_state_that_only_a_backup_holds_has_a_line_of_its_own(app, browser, folder):
    document = [{"id": "ast_1", "title": "From elsewhere", "prompt": "p", "version": 7}]
    (folder / "backups").mkdir(exist_ok=True)
    (folder / "backups" / "assistants_backup_x.json").write_text(json.dumps(document))
    store(app, make_record())
    page = browser.page("/assistants/history/ast_1")
    [alone] = [line for line in lines(page) if "Only in a backup" in line]
    assert "v7" in alone
    browser.post("/assistants/history/ast_1", state="assistants_backup_x.json", version="1")
    assert (stored(app).title, stored(app).version) == ("From elsewhere", 8)


def test_any_two_states_are_compared(app, browser, name):
    edit(app, title="Third")
    numbers = [state.number for state in revisions(app)]
    page = browser.page(f"/assistants/history/ast_1?from={numbers[2]}&to={numbers[0]}")
    assert "v1 → v3" in words(page.select_one("main h2"))
    assert [words(each) for each in page.select(".changes dt")] == ["Title", "System prompt", "Tags"]
    page = browser.page(f"/assistants/history/ast_1?from={name}&to={numbers[1]}")
    assert "Quote each line." in words(page.select_one(".diff .added"))
    part = browser.get(f"/assistants/history/ast_1?from={numbers[1]}", headers=PARTIAL)
    assert "v2 → now" in words(soup(part).select_one("h2"))


def test_revision_is_put_back_whole_or_in_one_field(app, browser, name):
    first = revisions(app)[-1].number
    form = browser.page(f"/assistants/history/ast_1?from={first}").select_one("#states form")
    browser.submit(form, field="tags")
    assert (stored(app).tags, stored(app).version) == (["coding", "review"], 3)
    assert "Quote each" in stored(app).prompt
    page = browser.page("/assistants/history/ast_1")
    browser.submit(page.select_one("#put-back"), state=first)
    assert (stored(app).prompt, stored(app).version) == (make_record().prompt, 4)
    undo(browser)
    assert "Quote each" in stored(app).prompt


def test_deleted_one_has_a_history_and_comes_back_from_it(app, browser, name):
    page = browser.page("/assistants/history/gone")
    assert "Deleted" in lines(page)[0]
    browser.submit(page.select_one("#put-back"), state=revisions(app, "gone")[0].number)
    assert (stored(app, "gone").title, stored(app, "gone").version) == ("Gone", 2)


def test_put_back_after_a_later_edit_is_refused(app, browser, name):
    form = browser.page("/assistants/history/ast_1").select_one("#put-back")
    edit(app, title="Later")
    browser.submit(form, state=revisions(app)[-1].number)
    assert (stored(app).title, stored(app).version) == ("Later", 3)


def test_history_goes_on_on_the_next_page(app, browser):
    store(app, make_record())
    for number in range(60):
        edit(app, title=f"Title {number}")
    page = browser.page("/assistants/history/ast_1")
    assert len(lines(page)) == 50
    assert len(lines(browser.page(page.select_one("[rel=next]")["href"]))) == 11


def test_history_of_nobody_and_states_that_are_not_there_are_404(browser, name):
    for path in ("nobody", "ast_1?from=999999", "ast_1?from=x", "ast_1?from=assistants_backup_no.json"):
        assert browser.get(f"/assistants/history/{path}").status_code == 404


def test_editor_and_row_menu_lead_to_the_history(browser, name):
    for path in ("/assistants/edit/ast_1", "/assistants/actions/ast_1"):
        assert browser.page(path).select("main [href='/assistants/history/ast_1']")
    link = browser.page("/assistants/edit/ast_1").select_one("#rail .timeline a")
    assert "v1 → now" in words(browser.page(link["href"]))


def test_difference_in_blanks_and_line_ends_alone_is_made_visible(app, browser):
    store(app, make_record(prompt="one\ntwo"))
    edit(app, prompt="one\r\n two")
    page = browser.page(f"/assistants/history/ast_1?from={revisions(app)[-1].number}")
    assert [ins.text for ins in page.select(".diff ins")] == ["␍", "·"]


def test_backups_of_states_on_another_page_are_no_states_of_their_own(app, browser):
    store(app, make_record())
    make(app)
    for number in range(55):
        edit(app, title=f"Title {number}")
    page = browser.page("/assistants/history/ast_1")
    assert "backup" not in " ".join(lines(page))
    second = lines(browser.page(page.select_one("[rel=next]")["href"]))
    assert [line for line in second if "in 1 backup" in line] == second[-1:]


def test_file_without_a_time_that_holds_a_known_state_is_no_state_of_its_own(app, browser, folder):
    store(app, make_record())
    for number in range(55):
        edit(app, title=f"Title {number}")
    (folder / "backups").mkdir(exist_ok=True)
    (folder / "backups" / "assistants_backup_x.json").write_bytes(b"[" + catalogue.encode(stored(app)) + b"]")
    page = browser.page("/assistants/history/ast_1")
    assert "in 1 backup" in lines(page)[0]
    assert "backup" not in " ".join(lines(browser.page(page.select_one("[rel=next]")["href"])))


def test_restore_from_a_backup_is_told_on_the_dashboard(browser, name):
    browser.post(f"/backups/{name}/restore/ast_1", version="2")
    assert "Ada restored “Code Reviewer” from a backup" in words(browser.page("/"))


def test_long_texts_are_compared_side_by_side_by_a_link(app, browser):
    store(app, make_record("a", prompt="one\ntwo\nthree"))
    with app.app_context():
        name = backups.create(SYSTEM).name
        with transaction() as session:
            catalogue.update(session, SYSTEM, "a", {"prompt": "one\n2\nthree\nfour"}, version=1)
    page = browser.page(f"/backups/{name}/compare/a")
    assert page.select_one(".diff.halves") is None
    link = next(each for each in page.select(".seg a") if words(each) == "Side by side")
    page = browser.page(link["href"])
    assert words(page.select_one(".seg [aria-current]")) == "Side by side"
    cells = [words(cell) for cell in page.select(".diff.halves > div")]
    assert cells == ["one", "one", "removed two", "added 2", "three", "three", "", "added four"]
    assert [cell.get("aria-hidden") for cell in page.select(".diff.halves > .twin")] == ["true"] * 3
