"""Long tasks over the API: the answer of the call that starts one, `GET /api/jobs/ID`, `POST /api/jobs/ID/cancel`.

A call waits for its task and answers with its result. With `Prefer: respond-async` (RFC 7240) it answers 202 at once,
or after the seconds of `wait=N`, and the task goes on.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request, url_for
from werkzeug.http import parse_list_header

from webadmin import http_errors, jobs, operations, safety
from webadmin.api import answers
from webadmin.api.parameters import read_query
from webadmin.errors import Conflict, Unavailable
from webadmin.jobs import Job, State
from webadmin.security import current_actor

_WAIT_SECONDS = 60.0
_RETRY_AFTER_SECONDS = "10"
# Nobody waits for longer, and Python refuses to read a number of thousands of digits.
_MOST_DIGITS = 9
# Tasks whose result is the `data` of a call; those of the pages keep there what only their pages read.
_KINDS_OF_CALLS = frozenset({operations.DIRECT_IMPORT, safety.MANUAL_BACKUP})


def register(blueprint: Blueprint) -> None:
    """Put the calls under `/api`."""
    blueprint.add_url_rule("/jobs/<id>", view_func=show_job)
    blueprint.add_url_rule("/jobs/<id>/cancel", view_func=cancel_job, methods=["POST"])


def show_job(id: str) -> Response:
    """How a task is, whoever started it."""
    read_query({})
    return answers.success(as_json(jobs.get(id)))


def cancel_job(id: str) -> Response:
    """Ask a task to stop, which then has changed nothing; one that has ended stays as it is."""
    read_query({})
    return answers.success(as_json(operations.cancel(current_actor(), id)))


def answer(job: Job, status: int = 200) -> Response:
    """What the call that started a task answers: its result with `status`, its failure, or 202 if that is preferred."""
    seconds = _patience()
    if seconds is None:
        while not job.is_finished:
            job = jobs.wait(job.id, _WAIT_SECONDS)
    elif seconds:
        job = jobs.wait(job.id, seconds)
    # Whoever does not wait always gets the address, even if the task is so short that it has ended.
    if seconds == 0 or not job.is_finished:
        return _accepted(job)
    if job.state is State.DONE:
        return answers.success(job.result, status)
    return http_errors.json_response(_failure(job))


def as_json(job: Job) -> dict[str, Any]:
    """A task as the API shows it."""
    has_failed = job.state in (State.FAILED, State.STOPPED)
    failure = _failure(job) if has_failed else None
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "title": str(job.title),
        "actor": job.actor_name,
        "phase": job.phase,
        "done": job.done,
        "total": job.total,
        "cancelRequested": job.is_cancel_requested,
        "createdAt": job.created_at,
        "updatedAt": job.updated_at,
        "result": job.result if job.state is State.DONE and job.kind in _KINDS_OF_CALLS else None,
        "error": failure and http_errors.error_json(failure.code, failure.message, failure.hint, failure.details),
    }


def _accepted(job: Job) -> Response:
    response = answers.success(as_json(job), HTTPStatus.ACCEPTED)
    response.headers["Location"] = url_for("api.show_job", id=job.id)
    response.headers["Preference-Applied"] = "respond-async"
    return response


def _patience() -> float | None:
    """After how many seconds the caller wants an answer whether the task has ended or not; None for never.

    What cannot be understood is ignored, and of a preference that is sent twice the first counts (RFC 7240).
    """
    found: dict[str, str] = {}
    for each in parse_list_header(request.headers.get("Prefer", "")):
        name, _, value = each.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    # It has no value; one that is empty counts as none.
    if found.get("respond-async") != "":
        return None
    wait = found.get("wait", "")
    is_number = wait.isascii() and wait.isdecimal() and len(wait) <= _MOST_DIGITS
    return float(wait) if is_number else 0.0


def _failure(job: Job) -> http_errors.Failure:
    if job.failure is None:
        told = jobs.end_in_words(job).template
        return http_errors.describe(Conflict(told) if job.state is State.CANCELLED else Unavailable(told))
    status = http_errors.status_of(job.failure.code)
    headers = {"Retry-After": _RETRY_AFTER_SECONDS} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return http_errors.Failure(
        status,
        status,
        job.failure.code,
        job.failure.message,
        job.failure.hint,
        job.failure.details,
        headers,
        is_bug=status == HTTPStatus.INTERNAL_SERVER_ERROR,
    )
