"""The JSON API of contract 5; who may call, CSRF and the error body are the business of `security`, `http_errors`."""

from __future__ import annotations

from flask import Blueprint

from webadmin.api import backups, jobs, openapi

blueprint = Blueprint("api", __name__, url_prefix="/api")
backups.register(blueprint)
jobs.register(blueprint)
openapi.register(blueprint)
