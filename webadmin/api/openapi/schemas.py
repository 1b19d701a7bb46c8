"""The schemas of `components`: what calls take and give. Numbers come from the settings in force.

A length is counted in user-perceived characters, each of which may be any number of code points. `maxLength` counts
code points, so it would refuse texts that the server takes; the limit stands in the description and as
`x-max-characters`.
"""

from __future__ import annotations

from typing import Any

from webadmin import backups, catalogue, jobs
from webadmin.api.backups import MOST_NOTE
from webadmin.api.openapi import documents, examples
from webadmin.api.openapi.errors import CODES
from webadmin.api.openapi.parts import INTEGER_64, NOT_BLANK, WITHOUT_NUL, nullable, schema
from webadmin.catalogue import Limits


def build() -> dict[str, Any]:
    """Every schema by its name."""
    limits = catalogue.current_limits()
    return {
        "Assistant": _assistant(),
        "NewAssistant": _new_assistant(limits),
        "AssistantChange": _assistant_change(limits),
        "StatusChange": _status_change(limits),
        "AssistantList": _assistant_list(),
        "Deleted": {
            "description": "What was deleted; it lies in the trash.",
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "examples": [examples.REVIEWER["id"]]}},
        },
        "ImportReport": _import_report(),
        "Backup": _backup(),
        "NewBackup": _new_backup(),
        "Job": _job(),
        "Health": _health(),
        "Problem": _problem(),
        "Failure": _failure(),
        **documents.build(),
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
        "description": "One assistant as it is stored. Times are texts, kept as they were written: those made here are "
        "ISO 8601 in UTC with milliseconds. Keys that nobody here knows stand beside these.",
        "type": "object",
        "required": [
            "id", "title", "desc", "emoji", "prompt", "tags", "isPublic", "status", "author", "createdAt", "updatedAt",
            "publishedAt", "version",
        ],
        "properties": {
            "id": {"type": "string", "description": "Its name in addresses; never changes."},
            "title": {"type": "string"},
            "desc": {"type": "string", "description": "What it does, in a sentence."},
            "emoji": {"type": "string", "description": "An emoji, or the name or address of a picture."},
            "prompt": {"type": "string", "description": "What the assistant is told to be."},
            "tags": {
                "description": "A list of texts; one text where another program stored no list.",
                "type": ["array", "string"],
                "items": {"type": "string"},
            },
            "isPublic": {"type": "boolean", "description": "Whether it may be shown to anybody once it is published."},
            "status": _status(),
            "author": {"type": "string"},
            "createdAt": {"type": "string"},
            "updatedAt": nullable("When it was last changed."),
            "reviewedAt": nullable("When it was last published or rejected. Not given to anonymous readers."),
            "publishedAt": nullable("When it was last published."),
            "reviewNote": nullable("What the reviewer wrote. Not given to anonymous readers."),
            "version": nullable("Rises with every change. Null where another program stored none.", "integer"),
            **_later_given(),
        },
        "examples": [examples.REVIEWER],
    }  # fmt: skip


def _later_given() -> dict[str, Any]:
    return {
        "category": {"type": "array", "description": "There only if it holds something."},
        "usageCount": {"type": "integer", "description": "There only if it is set."},
        "rating": {"type": "number", "description": "There only if it is set."},
    }


def _later_sent() -> dict[str, Any]:
    return {
        "category": nullable("A list of anything; null or [] removes it.", "array", items=schema("StoredValue")),
        "usageCount": _or_null(INTEGER_64) | {"description": "A whole number of at most 64 bits; null removes it."},
        "rating": nullable("A number that 64-bit floating point holds exactly; null removes it.", "number"),
    }


def _status() -> dict[str, Any]:
    moves = "; ".join(f"{old} → {', '.join(new)}" for old, new in catalogue.MOVES.items())
    return {"type": "string", "enum": [*catalogue.STATUSES], "description": f"Moves: {moves}."}


def _fields(of: Limits) -> dict[str, Any]:
    """What create and update take alike."""
    return {
        "title": _text("The name that people see.", of.title),
        "desc": _text("What it does, in a sentence; may be empty.", of.desc, may_be_blank=True),
        "emoji": _text("An emoji, or the name or address of a picture.", of.emoji),
        "prompt": _text("What the assistant is told to be.", of.prompt),
        "tags": {
            "type": ["array", "null"],
            "description": f"At most {of.tags} tags. Null is the same as an empty list.",
            "maxItems": of.tags,
            "items": _text("One tag.", of.tag),
        },
        "isPublic": {"type": "boolean", "description": "Whether anybody may see it once it is published."},
        "author": _text("Who wrote it.", of.author),
        **_later_sent(),
    }


def _new_assistant(of: Limits) -> dict[str, Any]:
    return {
        "description": "A new assistant; it begins as a draft. Keys beyond these are kept and given back, but what "
        "only the server sets (status, version, times, review note) is refused.",
        "type": "object",
        "required": ["title", "desc", "emoji", "prompt"],
        "properties": {
            **_fields(of),
            "isPublic": nullable("Whether anybody may see it once it is published.", "boolean"),
            "author": _or_null(_text("Who wrote it; the caller's name if it is not sent.", of.author)),
            "id": _or_null(_text("The id to be used; one of 21 random characters is made if none is sent.", of.id)),
            **_server_set("status", "version", *_SERVER_TIMES, "reviewNote"),
        },
        "propertyNames": {"pattern": WITHOUT_NUL},
        "additionalProperties": schema("Value"),
        "examples": [examples.NEW],
    }


_SERVER_TIMES = ("createdAt", "updatedAt", "reviewedAt", "publishedAt")


def _server_set(*names: str) -> dict[str, Any]:
    return {name: {"readOnly": True, "description": "Set by the server."} for name in names}


def _assistant_change(of: Limits) -> dict[str, Any]:
    return {
        "description": "The fields to change, and the version that they are based on. What GET gave may be sent back "
        "whole: fields that only the server sets are taken when they are equal to what is stored, else refused. Null "
        "clears an optional field. Keys beyond these are kept.",
        "type": "object",
        "required": ["version"],
        "properties": {
            "version": INTEGER_64
            | {"description": "The version that the change is based on; another one is 409 `VERSION_CONFLICT`."},
            **_fields(of),
            **_server_set("id", "status", *_SERVER_TIMES, "reviewNote"),
        },
        "propertyNames": {"pattern": WITHOUT_NUL},
        "additionalProperties": schema("Value"),
        "examples": [examples.CHANGE],
    }


def _status_change(of: Limits) -> dict[str, Any]:
    return {
        "description": "The status to go to. The same status again changes the note only.",
        "type": "object",
        "required": ["status", "version"],
        "properties": {
            "status": _status(),
            "reviewNote": _or_null(
                _text("What the author is to know; may be empty.", of.review_note, may_be_blank=True)
            ),
            "version": INTEGER_64 | {"description": "The version that the move is based on."},
        },
        "additionalProperties": False,
        "examples": [{"status": "pending", "reviewNote": "Please look at the rounding.", "version": 1}],
    }


def _assistant_list() -> dict[str, Any]:
    return {
        "description": "One page of the list.",
        "type": "object",
        "required": ["data", "total", "page", "pageSize", "nextCursor"],
        "properties": {
            "data": {"type": "array", "items": schema("Assistant")},
            "total": {"type": "integer", "minimum": 0, "description": "How many match in all; exact."},
            "page": {"type": "integer", "minimum": 1, "description": "The number of the page of the first row."},
            "pageSize": {"type": "integer", "minimum": 1, "maximum": 100},
            "nextCursor": nullable("Send it as `cursor` to read on in constant time; null on the last page."),
        },
        "additionalProperties": False,
        "examples": [examples.LIST],
    }


def _problem() -> dict[str, Any]:
    return {
        "description": "One thing that is wrong with an input, and where.",
        "type": "object",
        "required": ["index", "id", "field", "message"],
        "properties": {
            "index": nullable("The record's place in a file, from 0.", "integer"),
            "id": nullable("The record's id."),
            "field": nullable("The field or parameter."),
            "message": {"type": "string"},
        },
        "additionalProperties": False,
    }


def _failure() -> dict[str, Any]:
    return {
        "description": "Every refusal.",
        "type": "object",
        "required": ["success", "error"],
        "properties": {
            "success": {"const": False},
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string", "enum": [*CODES]},
                    "message": {"type": "string", "description": "What happened and what to do, for people."},
                    "details": {
                        "description": "What is wrong, where that helps; its form belongs to the code.",
                        "anyOf": [
                            {"type": "array", "items": schema("Problem")},
                            {
                                "description": "With `VERSION_CONFLICT`.",
                                "type": "object",
                                "required": ["currentVersion", "requestedVersion"],
                                "properties": {
                                    "currentVersion": {"type": "integer"},
                                    "requestedVersion": {"type": "integer"},
                                },
                                "additionalProperties": False,
                            },
                            {
                                "description": "With the 503 of health.",
                                "type": "object",
                                "required": ["checks"],
                                "properties": {"checks": _checks()},
                                "additionalProperties": False,
                            },
                        ],
                    },
                    "traceId": {
                        "type": "string",
                        "description": "The id of the call on each line of the log; also in `X-Request-Id`.",
                    },
                },
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
    }


def _checks() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A word for each part.",
        "additionalProperties": {"enum": ["ok", "failing"]},
    }


def _health() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["status", "checks"],
        "properties": {"status": {"const": "ok"}, "checks": _checks()},
        "additionalProperties": False,
        "examples": [examples.HEALTHY],
    }


def _import_report() -> dict[str, Any]:
    counts = {
        "imported": "Created plus updated.",
        "created": "New records.",
        "updated": "Records that differed.",
        "unchanged": "Records that were equal.",
        "deleted": "Records that went to the trash; only `mode=replace`.",
        "skipped": "Records that were there already (`mode=skip`) or cannot be read (`onError=skip`).",
    }
    found = {"type": "array", "maxItems": 1000, "items": schema("Problem")}
    return {
        "description": "What an import did, or would do (`dryRun`).",
        "type": "object",
        "required": [*counts, "errors", "warnings", "safetyBackup"],
        "properties": {
            **{name: {"type": "integer", "minimum": 0, "description": text} for name, text in counts.items()},
            "errors": found | {"description": "The first thousand records that cannot be read, with `onError=skip`."},
            "warnings": found | {"description": "The first thousand oddities that were taken as they are."},
            "safetyBackup": nullable("The file that was made before the change; null when nothing was to change."),
        },
        "additionalProperties": False,
        "examples": [examples.IMPORTED],
    }


def _backup() -> dict[str, Any]:
    return {
        "description": "One backup of the list.",
        "type": "object",
        "required": [
            "id", "filename", "createdAt", "recordCount", "fileSize", "isAuto", "kind", "state", "note", "isPinned",
            "isLate", "actor", "uploadedName", "sha256", "verifiedAt", "error",
        ],
        "properties": {
            "id": nullable("Its number in the table of backups; null until it has one.", "integer"),
            "filename": {"type": "string"},
            "createdAt": nullable("The time inside the document; null when it has none that can be read."),
            "recordCount": nullable("How many records it holds; null where that is not known.", "integer"),
            "fileSize": nullable("Bytes; null where there is no file.", "integer"),
            "isAuto": {"type": "boolean", "description": "Whether the daily task made it."},
            "isLate": {"type": "boolean", "description": "Whether the daily task made it later than its time."},
            "kind": {"enum": [*backups.Kind], "description": "Why it exists."},
            "state": {"enum": [*backups.State], "description": "What is known about the file."},
            "note": nullable("What was written when it was made."),
            "isPinned": {"type": "boolean", "description": "Whether it is kept whatever its age."},
            "actor": nullable("Who made it."),
            "uploadedName": nullable("The name of the file that was uploaded."),
            "sha256": nullable("The checksum of the whole file; null where it was not read yet."),
            "verifiedAt": nullable("When the file was last read whole and proved."),
            "error": nullable("Why it failed, or what is wrong with the file."),
        },
        "additionalProperties": False,
        "examples": [examples.BACKUP],
    }  # fmt: skip


def _new_backup() -> dict[str, Any]:
    return {
        "description": "What to write beside the backup.",
        "type": "object",
        "properties": {
            "note": nullable(
                f"A note for people. At most {MOST_NOTE:,} characters, blanks at both ends not counted.",
                pattern=WITHOUT_NUL,
            )
            | {"x-max-characters": MOST_NOTE}
        },
        "additionalProperties": False,
        "examples": [{"note": "Before the new prompts"}],
    }


def _job() -> dict[str, Any]:
    return {
        "description": "A long task. It stays listed for a day after its end.",
        "type": "object",
        "required": [
            "id", "kind", "state", "title", "actor", "phase", "done", "total", "cancelRequested", "createdAt",
            "updatedAt", "result", "error",
        ],
        "properties": {
            "id": {"type": "string"},
            "kind": {"type": "string", "description": "What it does."},
            "state": {
                "enum": [*jobs.State],
                "description": "`waiting`: for a decision of a person; `stopped`: its process ended before it did.",
            },
            "title": {"type": "string"},
            "actor": {"type": "string", "description": "Who started it."},
            "phase": nullable("What it is at."),
            "done": {"type": "integer", "description": "How much of the phase is done."},
            "total": nullable("How much the phase has; null where that is not known.", "integer"),
            "cancelRequested": {"type": "boolean", "description": "Whether somebody asked it to stop."},
            "createdAt": {"type": "string", "format": "date-time"},
            "updatedAt": {"type": "string", "format": "date-time"},
            "result": {
                "description": "What the call that started it would have given as `data`; null until it is done, and "
                "for tasks that no call starts."
            },
            "error": {
                "description": "Why it failed; else null.",
                "type": ["object", "null"],
                "required": ["code", "message"],
                "properties": {"code": {"enum": [*CODES]}, "message": {"type": "string"}, "details": True},
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
        "examples": [examples.JOB],
    }  # fmt: skip
