"""The page of a long task tells what is true while it runs and after it."""

import threading

import pytest

from tests.factories import NOON
from tests.web.conftest import PARTIAL, soup, words
from webadmin import jobs, runtime
from webadmin.accounts import SYSTEM
from webadmin.errors import Message, Unavailable


@pytest.fixture
def start(app):
    """Start a task whose work ends when told to: `job, go = start(work)`."""
    ends = []

    def begin(after=lambda _progress: None, kind="test"):
        go = threading.Event()
        ends.append(go)

        def work(progress):
            progress.update("writing", 50, 200)
            while not go.wait(0.01):
                progress.check_cancelled()
            return after(progress)

        with app.app_context():
            return jobs.start(kind, SYSTEM, work, title=Message("A long task")), go

    yield begin
    for go in ends:
        go.set()


def finish(app, job, go=None):
    if go:
        go.set()
    with app.app_context():
        return jobs.wait(job.id, 10)


def test_running_task_shows_its_progress_and_asks_again_each_second(start, browser):
    job, _ = start()
    page = browser.page(f"/jobs/{job.id}")
    bar = page.select_one("progress")
    assert (bar["value"], bar["max"]) == ("50", "200")
    assert "every 1s" in page.select_one("#job")["hx-trigger"]
    assert page.select_one("noscript meta[http-equiv=refresh]")["content"] == "2"


def test_after_a_minute_it_asks_each_five_seconds(app, start, browser):
    job, _ = start()
    with app.app_context():
        runtime.current().write("UPDATE jobs SET created_at='2020-01-01T00:00:00.000Z' WHERE id=?", (job.id,))
    assert "every 5s" in browser.page(f"/jobs/{job.id}").select_one("#job")["hx-trigger"]


def test_finished_task_asks_no_more(app, start, browser):
    finish(app, *start())
    job, go = start()
    finish(app, job, go)
    part = browser.get(f"/jobs/{job.id}", headers=PARTIAL).text
    assert "hx-trigger" not in part
    assert "<html" not in part
    assert "Done." in part


def test_cancelled_task_says_that_nothing_was_changed(app, start, browser):
    job, _ = start()
    page = browser.page(f"/jobs/{job.id}")
    assert browser.submit(page.select_one("main form[action$='/cancel']")).location == f"/jobs/{job.id}"
    finish(app, job)
    assert "Cancelled. Nothing was changed." in words(browser.page(f"/jobs/{job.id}"))


def test_cancelled_proof_of_all_backups_says_that_what_was_found_is_noted(app, start, browser):
    job, _ = start(kind=jobs.VERIFY_ALL)
    browser.post(f"/jobs/{job.id}/cancel")
    finish(app, job)
    text = words(browser.page(f"/jobs/{job.id}"))
    assert "Cancelled. What was found of the files read until then is noted." in text
    assert "Nothing was changed" not in text


def test_failed_task_says_why_and_what_to_do(app, start, browser):
    def fail(_progress):
        raise Unavailable("The disk is full.", hint="Free some space.")

    job, go = start(fail)
    finish(app, job, go)
    text = words(browser.page(f"/jobs/{job.id}"))
    assert "The disk is full." in text
    assert "Free some space." in text


def test_task_of_a_killed_process_was_stopped(app, browser):
    with app.app_context():
        runtime.current().write(
            "INSERT INTO jobs"
            " (id, kind, actor_kind, actor_name, title, params, state, done, holder, created_at, updated_at)"
            " VALUES ('dead', 'test', 'system', 'x', ?, '{}', 'running', 0, 'gone', ?, ?)",
            ('{"template": "A long task", "params": {}}', NOON, NOON),
        )
    assert "It was stopped, nothing was changed." in words(browser.page("/jobs/dead"))


def test_unknown_task_is_404(browser):
    assert "no such task" in words(soup(browser.get("/jobs/nothing"), 404))


def test_cancel_leads_back_only_within_the_site(start, browser):
    job, _ = start()
    assert browser.post(f"/jobs/{job.id}/cancel", next="https://evil.example/").location == "/"
