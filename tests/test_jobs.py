"""Long tasks: progress, waiting, cancelling, failing, and what is told about one that was killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from webadmin import clock, jobs, runtime
from webadmin.accounts.actor import COMMAND_LINE
from webadmin.errors import Conflict, Invalid, Message, NotFound, Problem, Unavailable
from webadmin.jobs import State, Waiting, threads, watching
from webadmin.runtime import Runtime

TITLE = Message("Import %(name)s", {"name": "a.json"})


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Runtime(tmp_path / "runtime.db")
    monkeypatch.setattr(runtime, "_provider", lambda: store)
    monkeypatch.setattr(threads, "_context_provider", lambda: contextlib.nullcontext)
    monkeypatch.setattr(watching, "_outcomes", {})
    yield store
    store.close()


def start(work, **options):
    return jobs.start("import", COMMAND_LINE, work, title=TITLE, **options)


def test_a_job_runs_and_keeps_its_result() -> None:
    job = jobs.wait(start(lambda progress: {"created": 2}, params={"mode": "merge"}).id, 5)
    assert (job.state, job.result, job.params) == (State.DONE, {"created": 2}, {"mode": "merge"})
    assert str(job.title) == "Import a.json"
    assert (job.actor_kind, job.actor_name) == ("command-line", "command line")
    assert job.is_finished


def test_a_running_job_shows_phase_and_count_to_all() -> None:
    go = threading.Event()

    def work(progress):
        progress.update("write", 1, 100)
        progress.update("write", 2, 100)  # within a fifth of a second: not written
        progress.update("check", 7, 9)
        go.wait(5)

    job = start(work)
    wait_for(lambda: jobs.get(job.id).phase == "check")
    seen = jobs.get(job.id)
    assert (seen.state, seen.done, seen.total) == (State.RUNNING, 7, 9)
    assert [each.id for each in jobs.running()] == [job.id]
    go.set()
    assert jobs.wait(job.id, 5).state is State.DONE
    assert jobs.running() == []


def test_progress_is_written_at_most_five_times_a_second(store: Runtime) -> None:
    written: list[int] = []

    def work(progress):
        progress.update("write", 0, 1000)
        for n in range(1000):
            progress.update("write", n, 1000)
            written.append(jobs.get(progress.job_id).done)

    jobs.wait(start(work).id, 10)
    assert len(set(written)) < 20


def test_cancel_stops_the_work_at_its_next_batch() -> None:
    def work(progress):
        while True:
            progress.check_cancelled()
            time.sleep(0.01)

    job = start(work)
    jobs.cancel(job.id)
    assert jobs.wait(job.id, 5).state is State.CANCELLED


def test_a_domain_error_becomes_the_failure_with_its_parameters() -> None:
    def work(progress):
        problem = Problem(Message("Record %(n)d has no title", {"n": 17}), field="title", index=16)
        raise Invalid("%(n)d records are bad", problems=[problem], hint="Mend %(n)d", n=1)

    job = jobs.wait(start(work).id, 5)
    assert job.state is State.FAILED
    assert job.failure is not None
    assert (job.failure.code, str(job.failure.message), str(job.failure.hint)) == (
        "VALIDATION_ERROR", "1 records are bad", "Mend 1",
    )  # fmt: skip
    assert job.failure.message == Message("%(n)d records are bad", {"n": 1})
    assert job.failure.details[0]["field"] == "title"


def test_an_unexpected_error_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def work(progress):
        raise RuntimeError("internal detail")

    job = jobs.wait(start(work).id, 5)
    assert job.failure is not None
    assert job.failure.code == "INTERNAL_ERROR"
    assert "internal detail" not in str(job.failure.message)
    assert "internal detail" in caplog.text


def test_a_waiting_job_goes_on_once() -> None:
    job = jobs.wait(start(lambda progress: Waiting({"plan": 3})).id, 5)
    assert (job.state, job.result) == (State.WAITING, {"plan": 3})
    assert not job.is_finished
    again = jobs.resume(job.id, lambda progress: {"applied": 3}, params={"mode": "skip"})
    assert again.state is State.RUNNING
    done = jobs.wait(job.id, 5)
    assert (done.state, done.result, done.params) == (State.DONE, {"applied": 3}, {"mode": "skip"})
    with pytest.raises(Conflict):
        jobs.resume(job.id, lambda progress: None)


def test_job_whose_waiting_cannot_be_written_down_is_refused_for_that_reason_and_goes_on_later(store: Runtime) -> None:
    def work(progress):
        store.write("CREATE TRIGGER refuse BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ABORT, 'full'); END")
        return Waiting({})

    job = start(work)
    wait_for(lambda: jobs.get(job.id).state is State.WAITING)
    with pytest.raises(runtime.RuntimeUnavailable):
        jobs.resume(job.id, lambda progress: None)
    store.write("DROP TRIGGER refuse")
    jobs.resume(job.id, lambda progress: {"applied": 3})
    assert jobs.wait(job.id, 5).result == {"applied": 3}


def test_a_job_cannot_be_resumed_twice_at_the_same_time() -> None:
    job = jobs.wait(start(lambda progress: Waiting({})).id, 5)
    go, outcomes = threading.Event(), []

    def resume():
        try:
            jobs.resume(job.id, lambda progress: go.wait(5) and None)
            outcomes.append("ran")
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=resume) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    go.set()
    jobs.wait(job.id, 5)
    assert sorted(outcomes) == ["ran"] + ["refused"] * 7


def test_cancelling_a_waiting_job_ends_it_with_what_it_had_prepared() -> None:
    job = jobs.wait(start(lambda progress: Waiting({})).id, 5)
    prepared = jobs.folder() / f"{job.id}.db"
    prepared.write_bytes(b"x")
    assert jobs.cancel(job.id).state is State.CANCELLED
    assert not prepared.exists()


def test_an_unknown_job_is_not_found() -> None:
    for call in (jobs.get, jobs.cancel, lambda id: jobs.wait(id, 0), lambda id: jobs.resume(id, lambda p: None)):
        with pytest.raises(NotFound):
            call("../../etc/passwd")


def test_jobs_are_forgotten_after_a_day_with_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    old = jobs.wait(start(lambda progress: None).id, 5)
    upload = jobs.folder() / f"{old.id}.upload"
    upload.write_text("bytes")
    real = clock.now()
    monkeypatch.setattr(clock, "now", lambda: real + timedelta(hours=23))
    jobs.forget_old()
    assert jobs.get(old.id)
    monkeypatch.setattr(clock, "now", lambda: real + timedelta(hours=25))
    jobs.forget_old()
    with pytest.raises(NotFound):
        jobs.get(old.id)
    assert list(jobs.folder().glob(f"{old.id}*")) == []


KILLED = """
    import contextlib, sys, time
    from pathlib import Path
    from webadmin import jobs, runtime
    from webadmin.accounts.actor import COMMAND_LINE
    from webadmin.errors import Message
    store = runtime.Runtime(Path(sys.argv[1]))
    runtime.use(lambda: store)
    jobs.use(lambda: contextlib.nullcontext)
    def work(progress):
        progress.update("write", 5, 10)
        print(progress.job_id, flush=True)
        time.sleep(60)
    jobs.start("import", COMMAND_LINE, work, title=Message("Import"))
    time.sleep(60)
"""


@pytest.fixture
def killed_job(tmp_path: Path):
    """The id of a job whose process was killed in the middle of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "runtime.db")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    id = process.stdout.readline().strip()
    assert jobs.get(id).state is State.RUNNING
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return id


def test_what_a_killed_job_was_reading_is_removed_at_the_next_look(killed_job: str) -> None:
    left = jobs.folder() / f"{killed_job}.upload"
    left.write_bytes(b"x")
    jobs.running()
    assert not left.exists()


def test_a_job_whose_process_was_killed_is_stopped_at_the_next_look(killed_job: str) -> None:
    job = jobs.get(killed_job)
    assert (job.state, job.phase, job.done) == (State.STOPPED, "write", 5)
    assert jobs.running() == []


def test_a_killed_job_that_had_applied_is_done(killed_job: str) -> None:
    jobs.on_stopped("import", lambda job: {"created": 10})
    assert (jobs.get(killed_job).state, jobs.get(killed_job).result) == (State.DONE, {"created": 10})


def test_a_killed_job_stays_undecided_while_the_catalogue_cannot_be_read(killed_job: str) -> None:
    def outcome(job):
        raise Unavailable("locked")

    jobs.on_stopped("import", outcome)
    assert jobs.get(killed_job).state is State.RUNNING
    jobs.on_stopped("import", lambda job: None)
    assert jobs.get(killed_job).state is State.STOPPED


def test_a_row_holds_plain_json(store: Runtime) -> None:
    job = jobs.wait(start(lambda progress: {"n": 1}).id, 5)
    row = store.read("SELECT title, params, result FROM jobs WHERE id=?", (job.id,))[0]
    assert [json.loads(value) for value in row] == [
        {"template": "Import %(name)s", "params": {"name": "a.json"}}, {}, {"n": 1},
    ]  # fmt: skip


def wait_for(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
