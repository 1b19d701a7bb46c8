"""What the examples of the document show: one small catalogue, told consistently from call to call."""

from __future__ import annotations

import json
from typing import Any

TRACE_ID = "b71f0c3de98a4d52"
TOKEN = "aa_Zk3vR8sQ1mXyT6pLw0hNcB4dUe9GfJ2a"  # noqa: S105 (an example, made up)
CURSOR = "WyIyMDI2LTExLTIwVDEyOjAwOjAwLjAwMFoiLCJhc3RfMTcwNTMxNDYwMCJd"

REVIEWER: dict[str, Any] = {
    "id": "ast_1705314600",
    "title": "Code Reviewer",
    "desc": "Reads a diff like a senior engineer",
    "emoji": "🧑‍💻",
    "prompt": "You review code changes.\nQuote the line, say what is wrong, and show how to mend it.",
    "tags": ["coding", "review"],
    "isPublic": True,
    "status": "published",
    "author": "marta",
    "createdAt": "2024-01-15T10:30:00.000Z",
    "updatedAt": "2026-11-20T12:00:00.000Z",
    "reviewedAt": "2026-11-20T12:00:00.000Z",
    "publishedAt": "2026-11-20T12:00:00.000Z",
    "reviewNote": "Checked against the style guide.",
    "version": 4,
}
NEW: dict[str, Any] = {
    "title": "Recipe Scaler",
    "desc": "Turns a recipe for four into one for any number",
    "emoji": "🍲",
    "prompt": "You scale recipes. Round to what a kitchen can measure.",
    "tags": ["cooking"],
    "isPublic": False,
}
DRAFT: dict[str, Any] = {
    "id": "V1StGXR8_Z5jdHi6B-myT",
    **NEW,
    "status": "draft",
    "author": "robot",
    "createdAt": "2026-11-23T09:15:00.000Z",
    "updatedAt": None,
    "reviewedAt": None,
    "publishedAt": None,
    "reviewNote": None,
    "version": 1,
}
CHANGE: dict[str, Any] = {
    "desc": "Reads a diff and quotes the line",
    "tags": ["coding", "review", "python"],
    "version": 4,
}
CHANGED: dict[str, Any] = REVIEWER | CHANGE | {"updatedAt": "2026-11-23T09:20:00.000Z", "version": 5}
SUBMITTED: dict[str, Any] = DRAFT | {
    "status": "pending",
    "updatedAt": "2026-11-23T09:25:00.000Z",
    "reviewNote": "Please look at the rounding.",
    "version": 2,
}
LIST: dict[str, Any] = {"data": [DRAFT, REVIEWER], "total": 784, "page": 1, "pageSize": 2, "nextCursor": CURSOR}

BACKUP_NAME = "assistants_backup_20261123_091500.json"
DOCUMENT: dict[str, Any] = {
    "metadata": {"version": "1.0.0", "timestamp": "2026-11-23T09:15:00.000Z", "recordCount": 1},
    "assistants": [REVIEWER],
}
DOCUMENT_TEXT = json.dumps(DOCUMENT, ensure_ascii=False)
EXPORTED: dict[str, Any] = {
    "metadata": {
        **DOCUMENT["metadata"],
        "format": 1,
        "generator": "Assistant Admin 0.1.0",
        "kind": "manual",
        "localDay": "2026-11-23",
        "actor": "robot",
        "counts": {"published": 1},
    },
    "assistants": [REVIEWER],
    "integrity": {"count": 1, "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
}
IMPORTED: dict[str, Any] = {
    "imported": 3,
    "created": 2,
    "updated": 1,
    "unchanged": 777,
    "deleted": 0,
    "skipped": 0,
    "errors": [],
    "warnings": [
        {
            "index": 16,
            "id": "ast_17",
            "field": "title",
            "message": "The text is longer than the limit of 200 characters; it is kept whole.",
        }
    ],
    "safetyBackup": "assistants_backup_20261123_091459.json",
}
BACKUP: dict[str, Any] = {
    "id": 41,
    "filename": BACKUP_NAME,
    "createdAt": "2026-11-23T09:15:00.000Z",
    "recordCount": 784,
    "fileSize": 1843200,
    "isAuto": False,
    "kind": "manual",
    "state": "verified",
    "note": "Before the new prompts",
    "isPinned": False,
    "isLate": False,
    "actor": "robot",
    "uploadedName": None,
    "sha256": "6f1c8a24f0a2d9b84f6a1d8e4d3f2d51c0b9a7e8f3d2c1b0a9f8e7d6c5b4a392",
    "verifiedAt": "2026-11-23T09:15:00.900Z",
    "restoreSeconds": 0.3,
    "error": None,
}
NIGHTLY: dict[str, Any] = BACKUP | {
    "id": 40,
    "filename": "assistants_backup_20261123_020000.json",
    "createdAt": "2026-11-23T02:00:00.000Z",
    "isAuto": True,
    "kind": "scheduled",
    "note": None,
    "actor": None,
}
JOB: dict[str, Any] = {
    "id": "f3c1a9d07b52",
    "kind": "direct-import",
    "state": "running",
    "title": "Import of catalogue.json",
    "actor": "robot",
    "phase": "reading",
    "done": 5000,
    "total": 11244,
    "cancelRequested": False,
    "createdAt": "2026-11-23T09:15:00.000Z",
    "updatedAt": "2026-11-23T09:15:02.400Z",
    "result": None,
    "error": None,
}
JOB_BACKUP: dict[str, Any] = JOB | {
    "id": "0d2b64e18af9",
    "kind": "backup",
    "title": "Manual backup",
    "phase": "writing",
    "done": 500,
    "total": 784,
    "updatedAt": "2026-11-23T09:15:00.200Z",
}
JOB_DONE: dict[str, Any] = JOB | {
    "state": "done",
    "done": 11244,
    "updatedAt": "2026-11-23T09:15:06.100Z",
    "result": IMPORTED,
}
HEALTHY: dict[str, Any] = {
    "status": "ok",
    "checks": {"database": "ok", "runtime": "ok", "disk": "ok", "backups": "ok"},
    "safety": {"state": "safe", "color": "ok"},
}
