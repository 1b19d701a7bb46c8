"""The whole document: who may call, and all paths and components."""

from __future__ import annotations

from typing import Any

from webadmin import __version__, config
from webadmin.api.openapi import assistants, backups, errors, examples, schemas
from webadmin.api.openapi.parts import JSON, answer, operation, schema, usual_headers
from webadmin.api.openapi.parts import examples as shown
from webadmin.errors import N_
from webadmin.sessions import COOKIE

_TOKEN: dict[str, Any] = {"token": []}
_SESSION: dict[str, Any] = {"session": []}
_SESSION_AND_CSRF: dict[str, Any] = {"session": [], "csrf": []}
_PUBLIC = ("listAssistants", "getAssistant")
_SAFE = ("get", "head")
_INTRODUCTION = """\
Reads and writes the catalogue of assistants, with a token that is made on the settings page or by
`flask token add NAME --role admin`.

Every answer but the export is an envelope: `{"success": true, "data": …}`, or
`{"success": false, "error": {"code", "message", "details"?, "traceId"}}`.

`HEAD` answers wherever `GET` does, `OPTIONS` with the methods in `Allow`; another method is 405. An unknown
parameter, or one that is sent twice, is 400 `INVALID_PARAMETER`; `GET /api/health` alone takes no notice of any.

What writes a record answers with it and its ETag, which the next `If-Match` can name.

A JSON body may be packed (`Content-Encoding: gzip`). It is UTF-8, has at most 16 MiB, and no key twice.

In addresses, any id outside `[A-Za-z0-9_-]+`, and the words `new` and `backup`, is written as `~` and the base64url of
its UTF-8 bytes, without `=`. The `~` form of any other id is taken too.
"""


def build() -> dict[str, Any]:
    """The document, as the settings in force make it."""
    paths = assistants.paths() | backups.paths() | _service_paths()
    for path in paths.values():
        for method, call in path.items():
            if method != "parameters":
                call["security"] = call.get("security", _security(method, call["operationId"]))
    return {
        "openapi": "3.1.0",
        "info": {"title": config.current().site_name, "version": __version__, "description": _INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [
            {"name": assistants.TAG, "description": N_("The records of the catalogue.")},
            {"name": backups.TAG, "description": N_("The catalogue as a file: out, in, and kept.")},
            {"name": backups.JOBS, "description": N_("Tasks that take longer than a caller wants to wait.")},
            {"name": "Service", "description": N_("The program itself.")},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.build(),
            "responses": errors.responses() | {"304": _not_modified()},
            "parameters": _parameters(),
            "headers": _headers(),
            "securitySchemes": _security_schemes(),
        },
    }


def _security(method: str, operation_id: str) -> list[dict[str, Any]]:
    allowed = [_TOKEN, _SESSION if method in _SAFE else _SESSION_AND_CSRF]
    is_public = operation_id in _PUBLIC and config.current().public_read
    return [{}, *allowed] if is_public else allowed


def _security_schemes() -> dict[str, Any]:
    return {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": N_(
                "A token of the settings page: `Authorization: Bearer …`. It may do what its role and its purposes"
                " allow."
            ),
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": COOKIE,
            "description": N_("The session of a signed-in browser."),
        },
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": "X-CSRFToken",
            "description": N_("The CSRF token of that session, with every call that changes something."),
        },
    }


def _service_paths() -> dict[str, Any]:
    health = operation(
        "getHealth",
        "Service",
        N_("Whether the program works"),
        N_("A check per part. Needs no token, and tells no secret and no path."),
        {"200": answer(N_("Every part works."), schema("Health"), shown(well=("All is well", examples.HEALTHY)))},
        errors=("500", "503"),
    )
    document = operation(
        "getDocument",
        "Service",
        N_("This document"),
        N_("What you are reading, as OpenAPI 3.1."),
        {
            "200": {
                "description": N_("The document, not in an envelope."),
                "headers": usual_headers("ETag"),
                "content": {JSON: {"schema": {"type": "object", "required": ["openapi", "paths"]}}},
            },
            "304": {"$ref": "#/components/responses/304"},
        },
        errors=("400", "401", "403", "429", "500", "503"),
        parameters=[{"$ref": "#/components/parameters/If-None-Match"}],
    )
    return {"/api/health": {"get": health | {"security": []}}, "/api/openapi.json": {"get": document}}


def _not_modified() -> dict[str, Any]:
    return {"description": N_("`If-None-Match` names the current ETag."), "headers": usual_headers("ETag")}


def _parameters() -> dict[str, Any]:
    def header(name: str, description: str, example: str, **of: Any) -> dict[str, Any]:
        found = {"type": "string", **of}
        return {"name": name, "in": "header", "description": description, "schema": found, "example": example}

    def in_path(description: str, example: str, **of: Any) -> dict[str, Any]:
        found = {"type": "string", "minLength": 1, **of}
        return {
            "name": "id",
            "in": "path",
            "required": True,
            "description": description,
            "schema": found,
            "example": example,
        }

    return {
        "id": in_path(N_("The id of the assistant, as it is written in addresses."), examples.REVIEWER["id"]),
        "jobId": in_path(N_("The id of the task."), examples.JOB["id"]),
        "If-Match": header("If-Match", N_("Act only if an ETag of this list is current, or `*`."), '"3f2a91"'),
        "If-None-Match": header("If-None-Match", N_("Answer 304 if an ETag of this list is current."), '"3f2a91"'),
        "Prefer": header(
            "Prefer",
            N_("`respond-async` answers 202 with the task at once; with `wait=N`, after at most N seconds (RFC 7240)."),
            "respond-async, wait=5",
        ),
    }


def _headers() -> dict[str, Any]:
    def text(description: str, example: str, *, is_required: bool = False) -> dict[str, Any]:
        return {
            "description": description,
            "required": is_required,
            "schema": {"type": "string"},
            "example": example,
        }

    return {
        "X-Request-Id": text("The id of the call on each line of the log.", examples.TRACE_ID, is_required=True),
        "RateLimit": text("How many calls are left, and the seconds until all are back.", '"default";r=99;t=42'),
        "RateLimit-Policy": text("How many calls in how many seconds.", '"default";q=100;w=60'),
        "Retry-After": text("Seconds to wait.", "42"),
        "ETag": text("The strong validator of this representation.", '"3f2a91"'),
        "Location": text("The address of what was made.", "/api/assistants/V1StGXR8_Z5jdHi6B-myT"),
        "Content-Location": text("The address of the record that the answer is.", "/api/assistants/ast_1705314600"),
        "Allow": text("The methods that the address takes.", "GET, HEAD, OPTIONS", is_required=True),
        "WWW-Authenticate": text("How to sign in.", "Bearer"),
        "Cache-Control": text("`no-store`; a minute for anonymous readers.", "no-store"),
        "Vary": text("With anonymous reading: what the answer depends on.", "Authorization, Cookie"),
        "Preference-Applied": text("The preference that was followed.", "respond-async"),
        "Content-Disposition": text("The name of the download.", f"attachment; filename={examples.BACKUP_NAME}"),
    }
