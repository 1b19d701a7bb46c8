"""Every schema of `components`; those of assistants and of documents have modules of their own."""

from __future__ import annotations

from typing import Any

from webadmin import backups, jobs, safety
from webadmin.api.openapi import documents, examples, records
from webadmin.api.openapi.errors import CODES
from webadmin.api.openapi.parts import WITHOUT_NUL, nullable, schema
from webadmin.errors import N_


def build() -> dict[str, Any]:
    """Every schema by its name."""
    return {
        **records.build(),
        "ImportReport": _import_report(),
        "Backup": _backup(),
        "NewBackup": _new_backup(),
        "Job": _job(),
        "Health": _health(),
        "Problem": _problem(),
        "Failure": _failure(),
        **documents.build(),
    }


def _problem() -> dict[str, Any]:
    return {
        "description": N_("One thing that is wrong with an input, and where."),
        "type": "object",
        "required": ["index", "id", "field", "message"],
        "properties": {
            "index": nullable(N_("The record's place in a file, from 0."), "integer"),
            "id": nullable(N_("The record's id.")),
            "field": nullable(N_("The field or parameter.")),
            "message": {"type": "string"},
        },
        "additionalProperties": False,
    }


def _failure() -> dict[str, Any]:
    return {
        "description": N_("Every refusal."),
        "type": "object",
        "required": ["success", "error"],
        "properties": {
            "success": {"const": False},
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string", "enum": [*CODES]},
                    "message": {"type": "string", "description": N_("What happened and what to do, for people.")},
                    "details": {
                        "description": N_("What is wrong, where that helps; its form belongs to the code."),
                        "anyOf": [
                            {"type": "array", "items": schema("Problem")},
                            {
                                "description": N_("With `VERSION_CONFLICT`."),
                                "type": "object",
                                "required": ["currentVersion", "requestedVersion"],
                                "properties": {
                                    "currentVersion": {"type": "integer"},
                                    "requestedVersion": {"type": "integer"},
                                },
                                "additionalProperties": False,
                            },
                            {
                                "description": N_("With the 503 of health."),
                                "type": "object",
                                "required": ["checks", "safety"],
                                "properties": {"checks": _checks(), "safety": _safety()},
                                "additionalProperties": False,
                            },
                        ],
                    },
                    "traceId": {
                        "type": "string",
                        "description": N_("The id of the call on each line of the log; also in `X-Request-Id`."),
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
        "description": N_("A word for each part."),
        "additionalProperties": {"enum": ["ok", "failing"]},
    }


def _safety() -> dict[str, Any]:
    return {
        "type": "object",
        "description": N_("Whether the data is safe, as the mark on every page says."),
        "required": ["state", "color"],
        "properties": {"state": {"enum": [*safety.State]}, "color": {"enum": [*safety.Color]}},
        "additionalProperties": False,
    }


def _health() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["status", "checks", "safety"],
        "properties": {"status": {"const": "ok"}, "checks": _checks(), "safety": _safety()},
        "additionalProperties": False,
        "examples": [examples.HEALTHY],
    }


def _import_report() -> dict[str, Any]:
    counts = {
        "imported": N_("Created plus updated."),
        "created": N_("New records."),
        "updated": N_("Records that differed."),
        "unchanged": N_("Records that were equal."),
        "deleted": N_("Records that went to the trash; only `mode=replace`."),
        "skipped": N_(
            "Records that stay as they are: there already (`mode=skip`), or what the file says of them cannot be read "
            "(`onError=skip`)."
        ),
    }
    found = {"type": "array", "maxItems": 1000, "items": schema("Problem")}
    return {
        "description": N_("What an import did, or would do (`dryRun`)."),
        "type": "object",
        "required": [*counts, "errors", "warnings", "safetyBackup"],
        "properties": {
            **{name: {"type": "integer", "minimum": 0, "description": text} for name, text in counts.items()},
            "errors": found
            | {
                "maxItems": 11_000,
                "description": N_(
                    "Each record that cannot be read, with `onError=skip`; all its faults, or the first."
                ),
            },
            "warnings": found | {"description": N_("The first thousand oddities that were taken as they are.")},
            "safetyBackup": nullable(N_("The file that was made before the change; null when nothing was to change.")),
            "fingerprint": {
                "type": "string",
                "description": N_("Of a dry run alone: sent with the import, it makes sure that just this is done."),
            },
        },
        "additionalProperties": False,
        "examples": [examples.IMPORTED],
    }


def _backup() -> dict[str, Any]:
    return {
        "description": N_("One backup of the list."),
        "type": "object",
        "required": [
            "id", "filename", "createdAt", "recordCount", "fileSize", "isAuto", "kind", "state", "note", "isPinned",
            "isLate", "actor", "uploadedName", "sha256", "verifiedAt", "restoreSeconds", "error",
        ],
        "properties": {
            "id": nullable(N_("Its number in the table of backups; null until it has one."), "integer"),
            "filename": {"type": "string"},
            "createdAt": nullable(N_("The time inside the document; null when it has none that can be read.")),
            "recordCount": nullable(N_("How many records it holds; null where that is not known."), "integer"),
            "fileSize": nullable(N_("Bytes; null where there is no file."), "integer"),
            "isAuto": {"type": "boolean", "description": N_("Whether the daily task made it.")},
            "isLate": {"type": "boolean", "description": N_("Whether the daily task made it later than its time.")},
            "kind": {"enum": [*backups.Kind], "description": N_("Why it exists.")},
            "state": {"enum": [*backups.State], "description": N_("What is known about the file.")},
            "note": nullable(N_("What was written when it was made.")),
            "isPinned": {"type": "boolean", "description": N_("Whether it is kept whatever its age.")},
            "actor": nullable(N_("Who made it.")),
            "uploadedName": nullable(N_("The name of the file that was uploaded.")),
            "sha256": nullable(N_("The checksum of the whole file; null where it was not read yet.")),
            "verifiedAt": nullable(N_("When the file was last read whole and proved.")),
            "restoreSeconds": nullable(N_("How long a restore takes about; null where nothing was rebuilt."), "number"),
            "error": nullable(N_("Why it failed, or what is wrong with the file.")),
        },
        "additionalProperties": False,
        "examples": [examples.BACKUP],
    }  # fmt: skip


def _new_backup() -> dict[str, Any]:
    what = N_("A note for people.")
    return {
        "description": N_("What to write beside the backup."),
        "type": "object",
        "properties": {
            "note": nullable(
                f"{what} At most {backups.NOTE_MAX:,} characters, blanks at both ends not counted.",
                pattern=WITHOUT_NUL,
            )
            | {"x-max-characters": backups.NOTE_MAX}
        },
        "additionalProperties": False,
        "examples": [{"note": "Before the new prompts"}],
    }


def _job() -> dict[str, Any]:
    return {
        "description": N_("A long task. It stays listed for a day after its end."),
        "type": "object",
        "required": [
            "id", "kind", "state", "title", "actor", "phase", "done", "total", "cancelRequested", "createdAt",
            "updatedAt", "result", "error",
        ],
        "properties": {
            "id": {"type": "string"},
            "kind": {"type": "string", "description": N_("What it does.")},
            "state": {
                "enum": [*jobs.State],
                "description": N_("`waiting`: for a decision of a person; `stopped`: its process ended before it did."),
            },
            "title": {"type": "string"},
            "actor": {"type": "string", "description": N_("Who started it.")},
            "phase": nullable(N_("What it is at.")),
            "done": {"type": "integer", "description": N_("How much of the phase is done.")},
            "total": nullable(N_("How much the phase has; null where that is not known."), "integer"),
            "cancelRequested": {"type": "boolean", "description": N_("Whether somebody asked it to stop.")},
            "createdAt": {"type": "string", "format": "date-time"},
            "updatedAt": {"type": "string", "format": "date-time"},
            "result": {
                "description": N_(
                    "What the call that started it would have given as `data`; null until it is done, and for tasks "
                    "that no call starts."
                )
            },
            "error": {
                "description": N_("Why it failed or was stopped; else null."),
                "type": ["object", "null"],
                "required": ["code", "message"],
                "properties": {"code": {"enum": [*CODES]}, "message": {"type": "string"}, "details": True},
                "additionalProperties": False,
            },
        },
        "additionalProperties": False,
        "examples": [examples.JOB],
    }  # fmt: skip
