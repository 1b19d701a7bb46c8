"""Long work of a command, run as a task that pages of a running server show too, with progress and Ctrl-C."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import click

from webadmin import jobs
from webadmin.accounts import COMMAND_LINE
from webadmin.cli.output import Failed, failure, printable
from webadmin.errors import Message
from webadmin.jobs import Job, State, Work

_LOOK_SECONDS = 0.5


_UNCHANGED = "Nothing was changed."


def run(
    kind: str, work: Work, *, title: Message, id: str | None = None, when_stopped: str = _UNCHANGED
) -> dict[str, Any]:
    """Run `work` to its end and return its result, as `follow` does."""
    return follow(jobs.start(kind, COMMAND_LINE, work, title=title, id=id), when_stopped=when_stopped)


def follow(job: Job, *, when_stopped: str = _UNCHANGED) -> dict[str, Any]:
    """Show a task to its end and return its result. Ctrl-C asks it to stop, which rolls back. Raises Failed.

    `when_stopped` says what then has changed and what has not.
    """
    line = _ProgressLine()
    try:
        while not job.is_finished:
            job = jobs.wait(job.id, _LOOK_SECONDS)
            line.show(job)
    except KeyboardInterrupt:
        jobs.cancel(job.id)
        while not job.is_finished:
            job = jobs.wait(job.id, _LOOK_SECONDS)
    finally:
        line.clear()
    return _result(job, when_stopped)


def _result(job: Job, when_stopped: str) -> dict[str, Any]:
    if job.state is State.DONE:
        return job.result or {}
    if job.failure is None:
        raise Failed(f"Stopped. {when_stopped}")
    raise failure(job.failure.message, job.failure.hint, job.failure.details)


@dataclass(slots=True)
class _ProgressLine:
    """One line on the terminal that is written over and over, and nothing where stderr is no terminal."""

    width: int = 0

    def show(self, job: Job) -> None:
        if not sys.stderr.isatty() or job.phase is None:
            return
        count = f" {job.done:,} of {job.total:,}" if job.total else f" {job.done:,}" if job.done else ""
        self._write(printable(f"{job.phase}{count}"))

    def clear(self) -> None:
        if self.width:
            self._write("")
            click.echo("\r", nl=False, err=True)

    def _write(self, text: str) -> None:
        click.echo("\r" + text.ljust(self.width), nl=False, err=True)
        self.width = len(text)
