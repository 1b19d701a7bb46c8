"""The limits of contract 5 on what is typed or sent: lengths in user-perceived characters, from the settings.

They bind create and update, and there only the fields that change; import and restore only warn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from typing import Any

from webadmin import config, strict
from webadmin.catalogue.records import (
    RECORD_CEILING_BYTES,
    TEXT_CEILING_BYTES,
    Limits,
    Record,
    count_characters,
    encode,
    is_longer,
    size_of,
)
from webadmin.errors import N_, Invalid, Message, Problem

_LIMITED = frozenset(field.name for field in dataclass_fields(Limits))
_REQUIRED = ("title", "desc", "emoji", "prompt")
_MAY_BE_EMPTY = frozenset({"desc", "review_note"})


def current_limits() -> Limits:
    """The limits that the settings give."""
    of = config.current()
    return Limits(
        title=of.title_max,
        desc=of.desc_max,
        prompt=of.prompt_max,
        emoji=of.emoji_max,
        author=of.author_max,
        id=of.id_max,
        review_note=of.review_note_max,
        tags=of.tags_max,
        tag=of.tag_max,
    )


def check_new(fields: Mapping[str, Any]) -> None:
    """Raise Invalid, naming every field at fault, unless `fields` may make a new assistant."""
    missing = [
        Problem(Message(N_("This field is required.")), field=name) for name in _REQUIRED if fields.get(name) is None
    ]
    _refuse([*missing, *_problems(fields)])


def check_changed(fields: Mapping[str, Any]) -> None:
    """Raise Invalid, naming every field at fault, unless these changed fields may be saved."""
    _refuse(_problems(fields))


def check_whole(record: Record) -> None:
    """Raise Invalid unless any file with the whole record could be read again: many small changes add up."""
    line = encode(record)
    try:
        too_long = strict.long_texts(line, TEXT_CEILING_BYTES)
        _refuse([Problem(Message(N_("The text is longer than 4 MiB.")), field=key) for key in too_long])
        strict.check_size(line.decode())
    except strict.NotReadable as error:
        raise Invalid(error.template, **error.params) from None
    if len(line) > RECORD_CEILING_BYTES and (size := size_of(line)) > RECORD_CEILING_BYTES:
        raise Invalid(
            N_("The assistant would take %(size)d bytes; the limit is %(limit)d."),
            hint=N_("Shorten its texts, or remove fields that nobody reads."),
            size=size,
            limit=RECORD_CEILING_BYTES,
        )


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(N_("Some fields need another look. Nothing was saved."), problems=problems)


def _problems(fields: Mapping[str, Any]) -> list[Problem]:
    of = current_limits()
    found: list[Problem] = []
    for name, value in fields.items():
        if name == "tags" and isinstance(value, list):
            found += _tag_problems(value, of)
        elif isinstance(value, str) and name in _LIMITED:
            found += _text_problems(name, value, getattr(of, name))
    return found


def _text_problems(name: str, value: str, most: int) -> list[Problem]:
    if "\0" in value:
        return [Problem(Message(strict.NUL), field=name)]
    if not value.strip() and name not in _MAY_BE_EMPTY:
        return [Problem(Message(N_("This field is required.")), field=name)]
    if len(value) > TEXT_CEILING_BYTES // 4 and len(value.encode("utf-8", "surrogatepass")) > TEXT_CEILING_BYTES:
        return [Problem(Message(N_("The text is longer than 4 MiB.")), field=name)]
    return _length_problems(name, value, most)


def _length_problems(name: str, value: str, most: int) -> list[Problem]:
    if not is_longer(value, most):
        return []
    said = Message(
        N_("%(length)d characters; the limit is %(limit)d. Shorten it, nothing is cut for you."),
        {"length": count_characters(value), "limit": most},
    )
    return [Problem(said, field=name)]


def _tag_problems(tags: list[str], of: Limits) -> list[Problem]:
    found: list[Problem] = []
    if len(tags) > of.tags:
        said = Message(N_("%(count)d tags; the limit is %(limit)d."), {"count": len(tags), "limit": of.tags})
        found.append(Problem(said, field="tags"))
    for tag in tags:
        found += _text_problems("tags", tag, of.tag)
    return found
