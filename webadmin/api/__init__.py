"""The JSON API of contract 5; who may call, CSRF and the error body are the business of `security`, `http_errors`."""

from __future__ import annotations

from flask import Blueprint, Response, request

from webadmin.api import assistants, backups, jobs, openapi
from webadmin.security import is_api

blueprint = Blueprint("api", __name__, url_prefix="/api")
assistants.register(blueprint)
backups.register(blueprint)
jobs.register(blueprint)
openapi.register(blueprint)


@blueprint.after_app_request
def say_methods(response: Response) -> Response:
    """OPTIONS has nothing to say but its header `Allow`, for the call of another blueprint under `/api` too."""
    if is_api() and request.method == "OPTIONS" and response.status_code == 200:
        response.status_code = 204
        response.headers.pop("Content-Type", None)
    return response
