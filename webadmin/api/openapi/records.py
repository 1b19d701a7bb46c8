"""The schemas of assistants: what calls take and give. Limits come from the settings in force.

A length is counted in user-perceived characters, each of which may be any number of code points. `maxLength` counts
code points, so it would refuse texts that the server takes; the limit stands in the description and as
`x-max-characters`.
"""

from __future__ import annotations

from typing import Any

from webadmin import catalogue
from webadmin.api.openapi import examples
from webadmin.api.openapi.parts import INTEGER_64, NOT_BLANK, WITHOUT_NUL, nullable, schema
from webadmin.catalogue import Limits
from webadmin.errors import N_


def build() -> dict[str, Any]:
    """The schemas by their names."""
    limits = catalogue.current_limits()
    return {
        "Assistant": _assistant(),
        "NewAssistant": _new_assistant(limits),
        "AssistantChange": _assistant_change(limits),
        "StatusChange": _status_change(limits),
        "AssistantList": _assistant_list(),
        "Deleted": {
            "description": N_("What was deleted; it lies in the trash."),
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "examples": [examples.REVIEWER["id"]]}},
            "additionalProperties": False,
        },
    }


def _text(description: str, limit: int, *, may_be_blank: bool = False) -> dict[str, Any]:
    """A text that is sent: not blank unless that is allowed, without NUL, of at most `limit` characters."""
    return {
        "type": "string",
        "description": f"{description} At most {limit:,} user-perceived characters; longer is refused, never cut.",
        "pattern": WITHOUT_NUL if may_be_blank else NOT_BLANK,
        "x-max-characters": limit,
    }


def _or_null(of: dict[str, Any]) -> dict[str, Any]:
    return of | {"type": [of["type"], "null"]}


def _assistant() -> dict[str, Any]:
    """A record as it is given: whatever a database of the earlier system may hold, so without limits."""
    return {
        "description": N_(
            "One assistant as it is stored. Times are texts, kept as they were written: those made here are "
            "ISO 8601 in UTC with milliseconds. Keys that nobody here knows stand beside these."
        ),
        "type": "object",
        "required": [
            "id", "title", "desc", "emoji", "prompt", "tags", "isPublic", "status", "author", "createdAt", "updatedAt",
            "publishedAt", "version",
        ],
        "properties": {
            "id": {"type": "string", "description": N_("Its name in addresses; never changes.")},
            "title": {"type": "string"},
            "desc": {"type": "string", "description": N_("What it does, in a sentence.")},
            "emoji": {"type": "string", "description": N_("An emoji, or the name or address of a picture.")},
            "prompt": {"type": "string", "description": N_("What the assistant is told to be.")},
            "tags": {
                "description": N_("A list of texts; one text where another program stored no list."),
                "type": ["array", "string"],
                "items": {"type": "string"},
            },
            "isPublic": {
                "type": "boolean",
                "description": N_("Whether it may be shown to anybody once it is published."),
            },
            "status": _status(),
            "author": {"type": "string"},
            "createdAt": {"type": "string"},
            "updatedAt": nullable(N_("When it was last changed.")),
            "reviewedAt": nullable(N_("When it was last published or rejected. Not given to anonymous readers.")),
            "publishedAt": nullable(N_("When it was last published.")),
            "reviewNote": nullable(N_("What the reviewer wrote. Not given to anonymous readers.")),
            "version": nullable(N_("Rises with every change. Null where another program stored none."), "integer"),
            **_later_given(),
        },
        "examples": [examples.REVIEWER],
    }  # fmt: skip


def _later_given() -> dict[str, Any]:
    return {
        "category": {"type": "array", "description": N_("There only if it is set; an empty list is as good as none.")},
        "usageCount": {"type": "integer", "description": N_("There only if it is set.")},
        "rating": {"type": "number", "description": N_("There only if it is set.")},
    }


def _later_sent() -> dict[str, Any]:
    return {
        "category": nullable(N_("A list of anything; null or [] removes it."), "array", items=schema("Value")),
        "usageCount": _or_null(INTEGER_64) | {"description": N_("A whole number of at most 64 bits; null removes it.")},
        "rating": nullable(N_("A number that 64-bit floating point holds exactly; null removes it."), "number"),
    }


def _status() -> dict[str, Any]:
    moves = "; ".join(f"{old} → {', '.join(new)}" for old, new in catalogue.MOVES.items())
    return {"type": "string", "enum": [*catalogue.STATUSES], "description": f"Moves: {moves}."}


def _fields(of: Limits) -> dict[str, Any]:
    """What create and update take alike."""
    return {
        "title": _text(N_("The name that people see."), of.title),
        "desc": _text(N_("What it does, in a sentence; may be empty."), of.desc, may_be_blank=True),
        "emoji": _text(N_("An emoji, or the name or address of a picture."), of.emoji),
        "prompt": _text(N_("What the assistant is told to be."), of.prompt),
        "tags": {
            "type": ["array", "null"],
            "description": N_("Null is the same as an empty list."),
            "maxItems": of.tags,
            "items": _text(N_("One tag."), of.tag),
        },
        "isPublic": {"type": "boolean", "description": N_("Whether anybody may see it once it is published.")},
        "author": _text(N_("Who wrote it."), of.author),
        **_later_sent(),
    }


def _new_assistant(of: Limits) -> dict[str, Any]:
    return {
        "description": N_(
            "A new assistant; it begins as a draft. Keys beyond these are kept and given back, but what "
            "only the server sets (status, version, times, review note) is refused."
        ),
        "type": "object",
        "required": ["title", "desc", "emoji", "prompt"],
        "properties": {
            **_fields(of),
            "isPublic": nullable(N_("Whether anybody may see it once it is published."), "boolean"),
            "author": _or_null(_text(N_("Who wrote it; the caller's name if it is not sent."), of.author)),
            "id": _or_null(_text(N_("The id to be used; one of 21 random characters is made if none is sent."), of.id)),
            **_server_set("status", "version", *_SERVER_TIMES, "reviewNote"),
        },
        "propertyNames": {"pattern": WITHOUT_NUL},
        "additionalProperties": schema("Value"),
        "examples": [examples.NEW],
    }


_SERVER_TIMES = ("createdAt", "updatedAt", "reviewedAt", "publishedAt")


def _server_set(*names: str) -> dict[str, Any]:
    return {name: {"readOnly": True, "description": N_("Set by the server.")} for name in names}


def _assistant_change(of: Limits) -> dict[str, Any]:
    return {
        "description": N_(
            "The fields to change, and the version that they are based on. What GET gave may be sent back "
            "whole: fields that only the server sets are taken when they are equal to what is stored, else refused. "
            "Null clears an optional field. Keys beyond these are kept."
        ),
        "type": "object",
        "required": ["version"],
        "properties": {
            "version": INTEGER_64
            | {
                "description": N_(
                    "The version that the change is based on, 0 for null; another is 409 `VERSION_CONFLICT`."
                )
            },
            **_fields(of),
            **_server_set("id", "status", *_SERVER_TIMES, "reviewNote"),
        },
        "propertyNames": {"pattern": WITHOUT_NUL},
        "additionalProperties": schema("Value"),
        "examples": [examples.CHANGE],
    }


def _status_change(of: Limits) -> dict[str, Any]:
    return {
        "description": N_("The status to go to. The same status again changes the note only."),
        "type": "object",
        "required": ["status", "version"],
        "properties": {
            "status": _status(),
            "reviewNote": _or_null(
                _text(N_("What the author is to know; may be empty."), of.review_note, may_be_blank=True)
            ),
            "version": INTEGER_64 | {"description": N_("The version that the move is based on.")},
        },
        "additionalProperties": False,
        "examples": [{"status": "pending", "reviewNote": "Please look at the rounding.", "version": 1}],
    }


def _assistant_list() -> dict[str, Any]:
    return {
        "description": N_("One page of the list."),
        "type": "object",
        "required": ["data", "total", "page", "pageSize", "nextCursor"],
        "properties": {
            "data": {"type": "array", "items": schema("Assistant")},
            "total": {"type": "integer", "minimum": 0, "description": N_("How many match in all; exact.")},
            "page": {"type": "integer", "minimum": 1, "description": N_("The number of the page of the first row.")},
            "pageSize": {"type": "integer", "minimum": 1, "maximum": 100},
            "nextCursor": nullable(N_("Send it as `cursor` to read on in constant time; null on the last page.")),
        },
        "additionalProperties": False,
        "examples": [examples.LIST],
    }
