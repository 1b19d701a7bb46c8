"""The description of the API as OpenAPI 3.1: `GET /api/openapi.json`; what it says of limits follows the settings."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, request

from webadmin.api.openapi.document import build
from webadmin.api.parameters import read_query

__all__ = ["build", "register"]


def register(blueprint: Blueprint) -> None:
    """Put the call under `/api`, and hand the document to the pages as `app.extensions["openapi"]`."""
    blueprint.add_url_rule("/openapi.json", view_func=get_document)
    blueprint.record_once(lambda state: state.app.extensions.setdefault("openapi", build))


def get_document() -> Response:
    """The document, with an ETag: 304 where the caller has it already. Raises InvalidParameter."""
    read_query({})
    response = Response(msgspec.json.encode(build()), mimetype="application/json")
    response.add_etag()
    response.make_conditional(request)
    return response
