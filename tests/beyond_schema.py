"""What no JSON Schema can say: why a call whose form is right may still be refused.

Each rule is looked for in the request, by its own reckoning; a refusal for any other reason stays a failure.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from schemathesis import Case, Response

from tests import contract
from webadmin import catalogue, strict

_IMPORT_OPTIONS = ("mode", "dryRun", "onError", "confirmDeleteAll", "acceptAltered", "fingerprint")


def is_rightly_refused(case: Case, response: Response) -> bool:
    """Whether one of the rules refuses this request, whose form is right."""
    rule = _RULES.get(case.operation.definition.raw["operationId"])
    return response.status_code == 400 and rule is not None and rule(case, response)


def is_rightly_taken(case: Case) -> bool:
    """Whether a request of a wrong form asks for its wrong records to be left out."""
    form = case.body if isinstance(case.body, dict) else {}
    return "skip" in ((case.query or {}).get("onError"), form.get("onError"))


def _list(case: Case, response: Response) -> bool:
    query = case.query or {}
    # A cursor is made by the server; pages end at 100,000 rows; a page and a cursor are two places to read on from.
    return bool(query.get("cursor")) or int(query.get("page") or 1) * int(query.get("pageSize") or 20) > 100_000


def _write(case: Case, response: Response) -> bool:
    body = case.body if isinstance(case.body, dict) else {}
    schema = case.operation.definition.raw["requestBody"]["content"]["application/json"]["schema"]
    return _is_too_long(body, contract.resolve(schema)["properties"]) or _has_bad_number(body)


def _move(case: Case, response: Response) -> bool:
    # Which moves there are depends on the status that is stored; the word itself is one of the four.
    is_move = [each["field"] for each in response.json()["error"]["details"]] == ["status"]
    return is_move or _write(case, response)


def _is_too_long(values: dict[str, Any], properties: dict[str, Any]) -> bool:
    """Whether a text has more user-perceived characters than `x-max-characters`; a schema counts code points."""
    for name, value in values.items():
        of = properties.get(name, {})
        texts = value if isinstance(value, list) else [value]
        limit = of.get("x-max-characters") or of.get("items", {}).get("x-max-characters")
        if limit and any(isinstance(text, str) and catalogue.count_characters(text) > limit for text in texts):
            return True
    return False


def _has_bad_number(record: dict[str, Any]) -> bool:
    return _is_inexact(record.get("rating")) or not strict.fits_64_bits(record.get("category"))


def _is_inexact(rating: Any) -> bool:
    """Whether a number is none that 64-bit floating point holds exactly."""
    try:
        return isinstance(rating, int) and float(rating) != rating
    except OverflowError:
        return True


def _import(case: Case, response: Response) -> bool:
    query, form = case.query or {}, {}
    document: Any = case.body
    if case.media_type == "multipart/form-data":
        form = case.body
        # The form's schema says that there is a file, not what is in it.
        document = _read(form.get("file"))
    if case.media_type == "application/gzip":
        return True
    if any(name in query and name in form and query[name] != form[name] for name in _IMPORT_OPTIONS):
        return True
    return _is_no_document(document, {**form, **query})


def _read(file: Any) -> Any:
    try:
        return json.loads(file)
    except (TypeError, ValueError):
        return None


def _is_no_document(document: Any, options: dict[str, Any]) -> bool:
    if list(contract.validator(contract.document()["components"]["schemas"]["ReadDocument"]).iter_errors(document)):
        return True
    records = document if isinstance(document, list) else document["assistants"]
    ids = [record["id"] for record in records]
    is_cleared = options.get("mode") == "replace" and options.get("confirmDeleteAll") != "true" and not records
    is_wrong = any(map(_has_bad_number, records))
    return is_cleared or is_wrong or len(set(ids)) < len(ids) or _contradicts_itself(document, options)


def _contradicts_itself(document: Any, options: dict[str, Any]) -> bool:
    """Whether a count is wrong; or the document says that it was written here, and then its checksum is wrong."""
    if isinstance(document, list):
        return False
    metadata = document.get("metadata")
    count = document.get("count") if metadata is None else metadata.get("recordCount")
    is_altered = "integrity" in document or "format" in (metadata or {})
    is_counted = count is None or count == len(document["assistants"])
    return not is_counted or (is_altered and options.get("acceptAltered") != "true")


_RULES: dict[str, Callable[[Case, Response], bool]] = {
    "listAssistants": _list,
    "createAssistant": _write,
    "updateAssistant": _write,
    "setAssistantStatus": _move,
    "createBackup": _write,
    "importCatalogue": _import,
}
