"""The envelope of contract 5 around what a call gives, and the answer that a finished job stands for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify

from webadmin import http_errors, jobs
from webadmin.errors import N_, Conflict
from webadmin.jobs import Job, State

_WAIT_SECONDS = 60.0
_RETRY_AFTER_SECONDS = "10"


def success(data: Any, status: int = 200) -> Response:
    """`{"success": true, "data": …}`."""
    response = jsonify({"success": True, "data": data})
    response.status_code = status
    return response


def of_job(job: Job) -> Response:
    """Wait for a job to end, however long it takes, and answer with its result or its failure."""
    while not job.is_finished:
        job = jobs.wait(job.id, _WAIT_SECONDS)
    if job.state is State.DONE:
        return success(job.result)
    return http_errors.json_response(_failure(job))


def _failure(job: Job) -> http_errors.Failure:
    if job.failure is None:
        cancelled = Conflict(N_("The task was cancelled. Nothing was changed."))
        return http_errors.describe(cancelled)
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
