"""An import goes on when its page is left, and can be stopped while it runs: whole, or not at all."""

import sqlite3
import time
from contextlib import closing, contextmanager

from tests.web.conftest import words
from tests.web.test_import_choices import apply_form, titles


@contextmanager
def locked(folder):
    """The catalogue held by another program, so that an import waits before it writes."""
    with closing(sqlite3.connect(folder / "assistants.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_page_that_was_left_shows_the_result_when_somebody_comes_back(app, browser, folder, document):
    address = browser.imported(document(3))
    form = apply_form(browser.page(address))
    with locked(folder):
        browser.submit(form)
    deadline = time.monotonic() + 20
    while len(titles(app)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(titles(app)) == 3
    assert "3 changes were applied" in words(browser.settled(address))


def test_an_import_that_is_stopped_while_it_runs_changes_nothing(app, browser, folder, document):
    address = browser.imported(document(3))
    form = apply_form(browser.page(address))
    with locked(folder):
        browser.submit(form)
        page = browser.page(address)
        assert "Applying the changes" in words(page)
        browser.submit(page.select_one("form[action$='/cancel']"))
        assert "Stopping…" in words(browser.page(address))
    assert "Cancelled. Nothing was changed" in words(browser.settled(address))
    assert titles(app) == {}
