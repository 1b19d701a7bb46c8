"""The calls on assistants: list, one record, create, change, delete, status."""

from __future__ import annotations

from typing import Any

from webadmin import catalogue
from webadmin.api.openapi import examples as shown
from webadmin.api.openapi.parts import answer, examples, json_body, operation, parameter, query, schema
from webadmin.errors import N_

TAG = "Assistants"
_CHANGES = ("400", "401", "403", "404", "409", "412", "413", "415", "429", "500", "503")
_WRITTEN = ("ETag", "Content-Location")
_NOT_CHANGED = {"304": {"$ref": "#/components/responses/304"}}


def paths() -> dict[str, Any]:
    """The addresses and their calls."""
    return {
        "/api/assistants": {"get": _list(), "post": _create()},
        "/api/assistants/{id}": {
            "parameters": [parameter("id")],
            "get": _get(),
            "put": _update(),
            "delete": _delete(),
        },
        "/api/assistants/{id}/status": {"parameters": [parameter("id")], "patch": _set_status()},
    }


def _list() -> dict[str, Any]:
    return operation(
        "listAssistants",
        TAG,
        N_("List and search"),
        N_(
            "Newest `createdAt` first (compared as text), then by id. Read on with `page`, or with `cursor` in "
            "constant time; `page` × `pageSize` beyond 100,000 is refused. An empty filter is no filter."
        ),
        {
            "200": answer(
                N_("One page."),
                schema("AssistantList"),
                examples(page=("The first page of two", shown.LIST)),
                headers=("ETag", "Cache-Control", "Vary"),
            ),
            **_NOT_CHANGED,
        },
        errors=("400", "401", "403", "429", "500", "503"),
        parameters=[
            query("page", N_("The page, from 1. Not together with `cursor`."), _number(100_000, 1), example=1),
            query("pageSize", N_("Records a page."), _number(100, 20), example=20),
            query("status", N_("Only this status."), {"enum": ["", *catalogue.STATUSES]}, example="published"),
            query("author", N_("Only this author; the whole name."), {"type": "string"}, example="marta"),
            query(
                "search",
                N_("Only records whose title or desc holds this text; the case of A to Z makes no difference."),
                {"type": "string"},
                example="review",
            ),
            query(
                "cursor",
                N_("`nextCursor` of the page before, under the same filters. Not together with `page`."),
                {"type": "string"},
            ),
            parameter("If-None-Match"),
        ],
    )


def _number(most: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


def _get() -> dict[str, Any]:
    return operation(
        "getAssistant",
        TAG,
        N_("Read one"),
        N_("The record as it is stored; one in the trash is not found."),
        {
            "200": answer(
                N_("The record."),
                schema("Assistant"),
                examples(published=("A published assistant", shown.REVIEWER)),
                headers=("ETag", "Cache-Control", "Vary"),
            ),
            **_NOT_CHANGED,
        },
        errors=("400", "401", "403", "404", "429", "500", "503"),
        parameters=[parameter("If-None-Match")],
    )


def _create() -> dict[str, Any]:
    return operation(
        "createAssistant",
        TAG,
        N_("Create"),
        N_("Creates a draft. `title`, `desc`, `emoji` and `prompt` are required."),
        {
            "201": answer(
                N_("The record as it is stored."),
                schema("Assistant"),
                examples(draft=("A new draft", shown.DRAFT)),
                headers=("Location", *_WRITTEN),
                links=_links(),
            )
        },
        errors=("400", "401", "403", "409", "413", "415", "429", "500", "503"),
        request_body=json_body(
            N_("The new assistant."),
            "NewAssistant",
            examples(
                draft=("A new draft", shown.NEW),
                withId=("With an id of one's own", {**shown.NEW, "id": "recipe-scaler", "author": "marta"}),
            ),
        ),
    )


def _links() -> dict[str, Any]:
    id_of = {"id": "$response.body#/data/id"}
    return {
        "read": {"operationId": "getAssistant", "parameters": id_of},
        "change": {
            "operationId": "updateAssistant",
            "parameters": id_of,
            "requestBody": {"version": "$response.body#/data/version", "title": "Another title"},
        },
        "submit": {
            "operationId": "setAssistantStatus",
            "parameters": id_of,
            "requestBody": {"version": "$response.body#/data/version", "status": "pending"},
        },
        "delete": {"operationId": "deleteAssistant", "parameters": id_of},
    }


def _update() -> dict[str, Any]:
    return operation(
        "updateAssistant",
        TAG,
        N_("Change"),
        N_(
            "Changes the fields of the body and nothing else. Equal values change nothing and make no new version. The "
            "limits bind the fields that change."
        ),
        {
            "200": answer(
                N_("The record as it is stored."),
                schema("Assistant"),
                examples(changed=("After the change", shown.CHANGED)),
                headers=_WRITTEN,
            )
        },
        errors=_CHANGES,
        parameters=[parameter("If-Match")],
        request_body=json_body(
            N_("The fields to change, and `version`."),
            "AssistantChange",
            examples(change=("Another description and one more tag", shown.CHANGE)),
        ),
    )


def _delete() -> dict[str, Any]:
    return operation(
        "deleteAssistant",
        TAG,
        N_("Delete"),
        N_("Moves the record to the trash, from which people can put it back."),
        {"200": answer(N_("Its id."), schema("Deleted"), examples(deleted=("Deleted", {"id": shown.REVIEWER["id"]})))},
        errors=("400", "401", "403", "404", "412", "429", "500", "503"),
        parameters=[parameter("If-Match")],
    )


def _set_status() -> dict[str, Any]:
    return operation(
        "setAssistantStatus",
        TAG,
        N_("Submit, publish, reject, withdraw"),
        N_(
            "Moves the record to another status; a move that is not in the table is refused. `reviewedAt` is set on "
            "published and rejected, `publishedAt` on each move to published."
        ),
        {
            "200": answer(
                N_("The record as it is stored."),
                schema("Assistant"),
                examples(submitted=("Submitted for review", shown.SUBMITTED)),
                headers=_WRITTEN,
            )
        },
        errors=_CHANGES,
        parameters=[parameter("If-Match")],
        request_body=json_body(
            N_("The status to go to, and `version`."),
            "StatusChange",
            examples(
                submit=(
                    "Submit for review",
                    {"status": "pending", "reviewNote": "Please look at the rounding.", "version": 1},
                ),
                publish=("Publish", {"status": "published", "version": 2}),
            ),
        ),
    )
