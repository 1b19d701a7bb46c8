"""The schemas of backup documents: what export writes, and what import reads (docs/backup-format.md)."""

from __future__ import annotations

from typing import Any

from webadmin import catalogue, config
from webadmin.api.openapi import examples
from webadmin.api.openapi.parts import INTEGER_64, WITHOUT_NUL, nullable, schema
from webadmin.errors import N_

_DATE = [{"type": "null"}, {"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]
_COUNT = {"type": ["integer", "null"], "description": N_("If it is there, the number of records that follow.")}


def build() -> dict[str, Any]:
    """The schemas by their names."""
    return {
        "Document": _written(),
        "ReadDocument": _read(),
        "ReadRecord": _record(),
        "Value": _value(),
    }


def _value() -> dict[str, Any]:
    # Of numbers, a schema cannot tell 10000000000000000000 (too long) from 1e19 (a fraction that is none, and fits).
    return {
        "description": "Any JSON value whose texts, at any depth, are without NUL. In `category`, whole numbers that "
        "are written out have at most 64 bits.",
        "anyOf": [
            {"type": ["null", "boolean", "number"]},
            {"type": "string", "pattern": WITHOUT_NUL},
            {"type": "array", "items": schema("Value")},
            {"type": "object", "propertyNames": {"pattern": WITHOUT_NUL}, "additionalProperties": schema("Value")},
        ],
    }


def _written() -> dict[str, Any]:
    return {
        "description": N_(
            "A backup document of the layout that is written here. It carries what proves that it is whole."
        ),
        "type": "object",
        "required": ["metadata", "assistants", "integrity"],
        "properties": {
            "metadata": {
                "type": "object",
                "required": ["version", "timestamp", "recordCount"],
                "properties": {
                    "version": {"type": "string"},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "recordCount": {"type": "integer", "minimum": 0},
                },
            },
            "assistants": {"type": "array", "items": schema("Assistant")},
            "integrity": {
                "type": "object",
                "required": ["count", "sha256"],
                "properties": {
                    "count": {"type": "integer", "minimum": 0},
                    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                },
            },
        },
        "examples": [examples.EXPORTED],
    }


def _read() -> dict[str, Any]:
    records = {"type": "array", "items": schema("ReadRecord")}
    # A later program may write what this one cannot know; it says so by a version or format above 1.
    version = {
        "description": N_("The version of the layout; one of a later program is refused."),
        "not": {
            "anyOf": [{"type": "string", "pattern": "^0*([2-9]|[1-9][0-9])"}, {"type": "number", "minimum": 2}],
        },
    }
    return {
        "description": "A backup document of any layout, or a bare list of records; at most "
        f"{config.current().max_upload_size:,} bytes as sent. A count that does not fit, the same id twice, or a "
        "checksum that is wrong is refused too. With `onError=skip`, records of another form are left out.",
        "anyOf": [
            records,
            {
                "type": "object",
                "required": ["assistants", "metadata"],
                "properties": {
                    "assistants": records,
                    "metadata": {
                        "type": "object",
                        "properties": {
                            "version": version,
                            "recordCount": _COUNT,
                            "format": {
                                "description": N_("Only in documents that were written here."),
                                "not": {"type": "integer", "minimum": 2},
                            },
                        },
                    },
                    "integrity": {"description": N_("Only in documents that were written here, as their last line.")},
                },
            },
            {
                "type": "object",
                "required": ["assistants"],
                "properties": {"assistants": records, "version": version, "count": _COUNT, "metadata": False},
            },
        ],
        "examples": [examples.DOCUMENT],
    }


def _record() -> dict[str, Any]:
    def required(description: str, **more: Any) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "pattern": WITHOUT_NUL, "description": description, **more}

    text = {"type": ["string", "null"], "pattern": WITHOUT_NUL}
    return {
        "description": N_(
            "A record of a file; the limits of what is typed do not bind it. Keys beyond these are kept."
        ),
        "type": "object",
        "required": ["id", "title", "prompt"],
        "properties": {
            "id": required("Unique in the file.", maxLength=255),
            "title": required("The name that people see."),
            "prompt": required("What the assistant is told to be."),
            "desc": text | {"description": N_("Empty if it is not there.")},
            "emoji": text | {"description": N_("A robot's face if it is not there.")},
            "tags": {
                "description": N_("A list of texts, or the text of such a list."),
                "type": ["array", "string", "null"],
                "items": {"type": "string", "pattern": WITHOUT_NUL},
                "maxItems": 1000,
                "pattern": WITHOUT_NUL,
            },
            "isPublic": nullable(N_("False if it is not there."), "boolean"),
            "status": {"enum": [*catalogue.STATUSES, None], "description": N_("Draft if it is not there.")},
            "author": text | {"description": N_("The caller's name if it is not there.")},
            "createdAt": {"anyOf": _DATE, "description": N_("The document's time if it is not there.")},
            "updatedAt": {"anyOf": _DATE},
            "reviewedAt": {"anyOf": _DATE},
            "publishedAt": {"anyOf": _DATE},
            "reviewNote": text | {"description": N_("What the reviewer wrote.")},
            "version": nullable(N_("1 if it is not there."), "integer", minimum=-(2**63), maximum=2**53 - 1),
            "category": nullable(N_("A list of anything."), "array", items=schema("Value")),
            "usageCount": nullable(N_("A whole number of at most 64 bits."), "integer")
            | {"minimum": INTEGER_64["minimum"], "maximum": INTEGER_64["maximum"]},
            "rating": nullable(N_("A number that 64-bit floating point holds exactly."), "number"),
        },
        "propertyNames": {"pattern": WITHOUT_NUL},
        "additionalProperties": schema("Value"),
    }
