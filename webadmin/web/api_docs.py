"""`/api/docs`: the API for people, made from the OpenAPI document, with examples that carry the site's own address."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup, escape

from webadmin import config
from webadmin.errors import N_
from webadmin.web.api_examples import CALLS, LANGUAGES, VARIABLES, write
from webadmin.web.filters import number, sentences
from webadmin.web.htmx import page

_METHODS = ("get", "post", "put", "patch", "delete")
_CODE = re.compile("`([^`]+)`")
_MOVES = "Moves: "
# What each group of calls is called; the document names the groups in English.
_GROUPS = {
    "Assistants": N_("Assistants"),
    "Backups": N_("Backups"),
    "Jobs": N_("Tasks"),
    "Service": N_("Service"),
}
bp = Blueprint("api_docs", __name__)


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of a call, or a field of what it takes or gives."""

    name: str
    kind: str
    text: Markup
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gives when it succeeds; `schema` names the form of its data."""

    status: str
    text: Markup
    schema: str | None
    example: str | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One call, as the page shows it."""

    id: str
    method: str
    path: str
    title: str
    text: Markup
    parameters: list[Field]
    body: Markup
    fields: list[Field]
    answers: list[Answer]
    refusals: list[str]
    example: str


@bp.get("/api/docs")
def show() -> ResponseReturnValue:
    """The page; `language` chooses in what its examples are written."""
    language = request.args.get("language")
    language = language if language in LANGUAGES else "curl"
    site = request.url_root.rstrip("/")
    reader = Reader(current_app.extensions["openapi"](), language, site)
    groups = reader.groups()
    return page(
        "api/docs.html",
        site=site,
        language=language,
        languages=LANGUAGES,
        variables=VARIABLES,
        groups=groups,
        schemas=reader.schemas(answer for _, _, operations in groups for each in operations for answer in each.answers),
        codes=reader.codes(),
        first=write("listAssistants", "curl", site),
        settings=config.current(),
    )


class Reader:
    """Makes of the OpenAPI document what the page shows, in the language of the reader."""

    def __init__(self, document: Mapping[str, Any], language: str, site: str) -> None:
        self._document = document
        self._language = language
        self._site = site

    def groups(self) -> list[tuple[Markup, Markup, list[Operation]]]:
        """Name, description and calls of each group, these in the order in which their examples run."""
        found: dict[str, list[Operation]] = {tag["name"]: [] for tag in self._document["tags"]}
        for path, calls in self._document["paths"].items():
            for method in _METHODS:
                if method in calls:
                    call = calls[method]
                    found[call["tags"][0]].append(self._operation(path, method, call, calls.get("parameters", [])))
        told = list(CALLS)
        for operations in found.values():
            operations.sort(key=lambda each: told.index(each.id))
        return [
            (_say(_GROUPS[tag["name"]]), _say(tag["description"]), found[tag["name"]]) for tag in self._document["tags"]
        ]

    def schemas(self, answers: Iterable[Answer]) -> list[tuple[str, Markup, list[Field]]]:
        """Name, description and fields of each form of data that these answers have."""
        names = dict.fromkeys(answer.schema for answer in answers if answer.schema)
        return [(name, self._text(of), self._fields(of)) for name in names for of in [self._schema(name)]]

    def codes(self) -> list[tuple[str, str, Markup]]:
        """Code, status and meaning of each refusal."""
        return [
            (code, status, _say(example["summary"]))
            for status, of in self._document["components"]["responses"].items()
            for content in of.get("content", {}).values()
            for code, example in content["examples"].items()
        ]

    def _operation(self, path: str, method: str, call: Mapping[str, Any], shared: list[Any]) -> Operation:
        parameters = [self._resolve(each) for each in (*shared, *call.get("parameters", []))]
        content = self._resolve(call.get("requestBody", {})).get("content", {})
        taken: Mapping[str, Any] = content.get("multipart/form-data") or next(iter(content.values()), {})
        body = self._resolve(taken.get("schema", {}))
        named = {each["name"] for each in parameters}
        return Operation(
            id=call["operationId"],
            method=method.upper(),
            path=path,
            title=str(_say(call["summary"])),
            text=_say(call["description"]),
            parameters=[self._parameter(each) for each in parameters],
            body=self._text(body),
            fields=[each for each in self._fields(body) if each.name not in named],
            answers=[self._answer(status, of) for status, of in call["responses"].items() if status < "400"],
            refusals=[status for status in call["responses"] if status >= "400"],
            example=write(call["operationId"], self._language, self._site),
        )

    def _parameter(self, of: Mapping[str, Any]) -> Field:
        kind = of["schema"] if of["in"] == "query" else {"type": of["in"]}
        return Field(of["name"], self._kind(kind), _say(of["description"]), is_required=of.get("required", False))

    def _answer(self, status: str, of: Mapping[str, Any]) -> Answer:
        of = self._resolve(of)
        content: Mapping[str, Any] = next(iter(of.get("content", {}).values()), {})
        data = content.get("schema", {}).get("properties", {}).get("data", content.get("schema", {}))
        reference = data.get("items", data).get("$ref")
        example = next(iter(content.get("examples", {}).values()), None)
        return Answer(
            status,
            _say(of["description"]),
            reference.rpartition("/")[2] if reference else None,
            json.dumps(example["value"], ensure_ascii=False, indent=2) if example else None,
        )

    def _fields(self, schema: Mapping[str, Any]) -> list[Field]:
        required = schema.get("required", ())
        return [
            Field(name, self._kind(of), self._text(of), is_required=name in required)
            for name, each in schema.get("properties", {}).items()
            for of in [self._resolve(each)]
            if not of.get("readOnly")
        ]

    def _text(self, schema: Mapping[str, Any]) -> Markup:
        """What a schema says of itself; the document writes its limits out in English."""
        text, limit = schema.get("description", ""), schema.get("x-max-characters")
        if text.startswith(_MOVES):
            return _marked(gettext("Moves: %(moves)s", moves=text.removeprefix(_MOVES)))
        parts = [gettext(text.partition(" At most ")[0] if limit else text) if text else ""]
        if limit:
            parts.append(gettext("At most %(limit)s characters; longer is refused, never cut.", limit=number(limit)))
        if "maxItems" in schema:
            parts.append(gettext("At most %(limit)s.", limit=number(schema["maxItems"])))
        return _marked(sentences(parts))

    def _kind(self, schema: Mapping[str, Any]) -> str:
        schema = self._resolve(schema)
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if values:
            return " | ".join(str(value) for value in values if value not in ("", None))
        kinds = schema.get("type", "any")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return " | ".join(self._array(schema) if kind == "array" else kind for kind in kinds)

    def _array(self, schema: Mapping[str, Any]) -> str:
        items = schema.get("items", {})
        name = items.get("$ref", "").rpartition("/")[2] or items.get("type")
        return f"array<{name}>" if isinstance(name, str) else "array"

    def _schema(self, name: str) -> dict[str, Any]:
        return cast("dict[str, Any]", self._document["components"]["schemas"][name])

    def _resolve(self, of: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in of:
            _, _, kind, name = of["$ref"].split("/")
            of = self._document["components"][kind][name]
        return of


def _say(text: str) -> Markup:
    """A text of the document in the reader's language, its code marked as such."""
    return _marked(gettext(text))


def _marked(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # nosec B704 - escaped here
