"""The calls on backups: export, import, list, create; and on the tasks that long ones become."""

from __future__ import annotations

from typing import Any

from webadmin.api.openapi import examples as shown
from webadmin.api.openapi.parts import (
    JSON,
    answer,
    body,
    examples,
    json_body,
    operation,
    parameter,
    query,
    schema,
    usual_headers,
)
from webadmin.backups import FINGERPRINT, Mode
from webadmin.errors import N_

TAG = "Backups"
JOBS = "Jobs"
_BOOLEAN = {"enum": ["true", "false"], "default": "false"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "mode": {
        "description": N_(
            "`merge`: create what is new, update what differs. `skip`: create what is new only. `replace`: "
            "the catalogue becomes the file, the rest goes to the trash."
        ),
        "enum": [*Mode],
        "default": Mode.MERGE,
    },
    "dryRun": {"description": N_("`true` reports what would change, and changes nothing."), **_BOOLEAN},
    "onError": {
        "description": N_(
            "`abort`: one bad record, and nothing changes. `skip`: take the good records and report the others, whose "
            "assistants here stay as they are in every mode."
        ),
        "enum": ["abort", "skip"],
        "default": "abort",
    },
    "confirmDeleteAll": {"description": N_("`true` lets an empty file replace a catalogue."), **_BOOLEAN},
    "acceptAltered": {
        "description": N_("`true` takes a file whose checksum is wrong, if its JSON is whole."),
        **_BOOLEAN,
    },
    "fingerprint": {
        "description": N_(
            "That of a dry run with the same file and mode: what it reported is done, or the answer is 409 and nothing "
            "changed."
        ),
        "type": "string",
        "pattern": f"^({FINGERPRINT})?$",
    },
}


def paths() -> dict[str, Any]:
    """The addresses and their calls."""
    return {
        "/api/assistants/backup/export": {"get": _export()},
        "/api/assistants/backup/import": {"post": _import()},
        "/api/assistants/backup/list": {"get": _list()},
        "/api/assistants/backup/create": {"post": _create()},
        "/api/jobs/{id}": {"parameters": [parameter("jobId")], "get": _job()},
        "/api/jobs/{id}/cancel": {"parameters": [parameter("jobId")], "post": _cancel()},
    }


def _export() -> dict[str, Any]:
    return operation(
        "exportCatalogue",
        TAG,
        N_("Export the catalogue"),
        N_(
            "The whole catalogue as a backup document, as a download. It is one state of the catalogue, complete "
            "before the first byte is sent; `HEAD` tells its size alone."
        ),
        {
            "200": {
                "description": N_("The document, not in an envelope."),
                "headers": usual_headers("Content-Disposition"),
                "content": {
                    JSON: {
                        "schema": schema("Document"),
                        "examples": examples(one=("A catalogue of one record", shown.EXPORTED)),
                    }
                },
            }
        },
        errors=("400", "401", "403", "429", "500", "503"),
    )


def _import() -> dict[str, Any]:
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {
                "type": "string",
                "contentMediaType": "application/octet-stream",
                "description": N_("The document, plain or gzip."),
            },
            **_OPTIONS,
        },
        "additionalProperties": False,
    }
    return operation(
        "importCatalogue",
        TAG,
        N_("Import a backup document"),
        N_(
            "Brings the records of a document into the catalogue: a safety backup first, then one transaction, which "
            "is done whole or not at all. Options are parameters of the address or fields of the form. One import, "
            "backup or restore runs at a time; while another one does, the answer is 503."
        ),
        {
            "200": answer(
                N_("What it did."), schema("ImportReport"), examples(merged=("Three records of 780", shown.IMPORTED))
            ),
            "202": _accepted(shown.JOB),
        },
        errors=("400", "401", "403", "409", "413", "415", "429", "500", "503"),
        parameters=[
            *(query(name, of["description"], of) for name, of in _OPTIONS.items()),
            parameter("Prefer"),
        ],
        request_body=body(
            N_(
                "The document, as a file of a form or as the body; as JSON it may be packed (`Content-Encoding: gzip`)."
            ),
            {
                JSON: {
                    "schema": schema("ReadDocument"),
                    "examples": examples(one=("A document of one record", shown.DOCUMENT)),
                },
                "multipart/form-data": {
                    "schema": form,
                    "examples": examples(
                        dryRun=("Only tell what would change", {"file": shown.DOCUMENT_TEXT, "dryRun": "true"})
                    ),
                },
                "application/gzip": {"schema": {"description": N_("The document, packed: bytes that are no JSON.")}},
            },
        ),
    )


def _accepted(job: dict[str, Any]) -> dict[str, Any]:
    return answer(
        N_("With `Prefer: respond-async`: the task goes on. Ask at `Location` how it is."),
        schema("Job"),
        examples(running=("Under way", job)),
        headers=("Location", "Preference-Applied"),
        links={"follow": {"operationId": "getJob", "parameters": {"id": "$response.body#/data/id"}}},
    )


def _list() -> dict[str, Any]:
    return operation(
        "listBackups",
        TAG,
        N_("List the backups"),
        N_("Every backup, newest first by the time inside the document; what has no readable time comes last."),
        {
            "200": answer(
                N_("All of them; there are no pages."),
                {"type": "array", "items": schema("Backup")},
                examples(two=("One by hand, one of the night", [shown.BACKUP, shown.NIGHTLY])),
            )
        },
        errors=("400", "401", "403", "429", "500", "503"),
    )


def _create() -> dict[str, Any]:
    return operation(
        "createBackup",
        TAG,
        N_("Make a backup"),
        N_("Writes a backup of the whole catalogue into the backup folder and reads it back."),
        {
            "201": answer(
                N_("Its row in the list."),
                schema("Backup"),
                examples(made=("Made and verified", shown.BACKUP)),
            ),
            "202": _accepted(shown.JOB_BACKUP),
        },
        errors=("400", "401", "403", "409", "413", "415", "429", "500", "503"),
        parameters=[parameter("Prefer")],
        request_body=json_body(
            N_("Nothing, or a note."),
            "NewBackup",
            examples(note=("With a note", {"note": "Before the new prompts"})),
            is_required=False,
        ),
    )


def _job() -> dict[str, Any]:
    return operation(
        "getJob",
        JOBS,
        N_("How a task is"),
        N_("What a task does, how far it is, and what became of it."),
        {
            "200": answer(
                N_("The task."),
                schema("Job"),
                examples(running=("Under way", shown.JOB), done=("Done", shown.JOB_DONE)),
            )
        },
        errors=("400", "401", "403", "404", "429", "500", "503"),
    )


def _cancel() -> dict[str, Any]:
    return operation(
        "cancelJob",
        JOBS,
        N_("Ask a task to stop"),
        N_("A task that stops has changed nothing. One that has ended already stays as it is."),
        {
            "200": answer(
                N_("The task, asked to stop."),
                schema("Job"),
                examples(asked=("Asked to stop", shown.JOB | {"cancelRequested": True})),
            )
        },
        errors=("400", "401", "403", "404", "409", "429", "500", "503"),
    )
