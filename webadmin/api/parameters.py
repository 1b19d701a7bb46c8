"""Options of a call, sent as query parameters or as fields of its form; what is not understood is refused by name.

A misspelt `dryrun=true` that is ignored would change the catalogue instead of reporting, so unknown names are refused
like unknown values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from flask import request
from werkzeug.datastructures import MultiDict

from webadmin import strict
from webadmin.errors import N_, Invalid, Message, Problem

BOOLEAN = ("true", "false")
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]*", re.ASCII)
# Enough for every number that means anything here; Python itself refuses to read one of thousands of digits.
_MOST_DIGITS = 18


class InvalidParameter(Invalid):
    """A parameter of the address cannot be used."""

    code = "INVALID_PARAMETER"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(N_("A parameter cannot be used."), problems=problems)


class Unusable(Exception):
    """A reader does not take the value that was sent; `message` says why."""

    def __init__(self, template: str, **params: Any) -> None:
        self.message = Message(template, params)
        super().__init__(str(self.message))


Reader = Callable[[Any], Any]
"""Makes of what was sent for one parameter or field the value that it stands for. Raises Unusable."""


def one_of(values: Sequence[str]) -> Reader:
    """A reader that takes these texts."""

    def read(sent: Any) -> str:
        if not isinstance(sent, str) or sent not in values:
            raise Unusable(
                N_("“%(value)s” cannot be used; accepted are %(values)s."),
                value=strict.shown(str(sent)),
                values=", ".join(values),
            )
        return sent

    return read


def whole_number(lowest: int, highest: int | None = None) -> Reader:
    """A reader of whole numbers in plain digits; without `highest` a longer one stands for 10 ** 18."""
    accepts = f"{lowest}–{highest}" if highest is not None else f"{lowest}, {lowest + 1}, …"

    def read(sent: str) -> int:
        is_number = _WHOLE_NUMBER.fullmatch(sent) is not None
        value = int(sent) if is_number and len(sent) <= _MOST_DIGITS else 10**_MOST_DIGITS
        if not is_number or value < lowest or (highest is not None and value > highest):
            raise Unusable(
                N_("“%(value)s” cannot be used; accepted are whole numbers: %(values)s."),
                value=strict.shown(sent),
                values=accepts,
            )
        return value

    return read


def text(sent: str) -> str | None:
    """A reader of any text; an empty one stands for none, since front ends send their empty fields."""
    return sent or None


def or_none(reader: Reader) -> Reader:
    """`reader`, with an empty text for none."""
    return lambda sent: reader(sent) if sent else None


def read_query(accepted: Mapping[str, Reader]) -> dict[str, Any]:
    """The parameters of the address that were sent, by name, each as its reader gives it.

    Raises:
        InvalidParameter: one is unknown, cannot have this value, or is sent twice, or the query is no UTF-8.
    """
    if not request.query_string:
        return {}
    found, problems = _read(accepted, _query())
    if problems:
        raise InvalidParameter(problems)
    return found


def read_options(
    accepted: Mapping[str, Reader],
    query: MultiDict[str, str],
    form: MultiDict[str, str],
    *,
    ignored: Iterable[str] = (),
) -> dict[str, Any]:
    """The options that were sent, by name.

    Args:
        accepted: how the value of each option that may be sent is read.
        query: the parameters of the address.
        form: the fields of the body.
        ignored: further names that the form may have.

    Raises:
        InvalidParameter: a parameter of the address is unknown, cannot have this value, or is sent twice.
        Invalid: the same for a field of the form.
    """
    of_query, problems = _read(accepted, query)
    if problems:
        raise InvalidParameter(problems)
    of_form, problems = _read(accepted, MultiDict((n, v) for n, v in form.items(multi=True) if n not in ignored))
    problems += [
        Problem(Message(N_("This is sent in the address and in the form, with different values.")), field=name)
        for name in accepted
        if name in query and name in form and query[name] != form[name]
    ]
    if problems:
        raise Invalid(N_("A field cannot be used."), problems=problems)
    return of_form | of_query


def _query() -> MultiDict[str, str]:
    try:
        # Werkzeug's own reading turns broken UTF-8 into other text, which would then be looked for.
        return MultiDict(parse_qsl(request.query_string.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise InvalidParameter([Problem(Message(N_("The query is not valid UTF-8.")))]) from None


def _read(accepted: Mapping[str, Reader], sent: MultiDict[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, values in sent.lists():
        try:
            found[name] = _value(accepted, name, values)
        except Unusable as error:
            problems.append(Problem(error.message, field=strict.shown(name)))
    return found, problems


def _value(accepted: Mapping[str, Reader], name: str, values: Sequence[str]) -> Any:
    if not accepted:
        raise Unusable(N_("This call takes no parameters."))
    if name not in accepted:
        raise Unusable(N_("This is not known here; known are %(names)s."), names=", ".join(accepted))
    if len(values) > 1:
        raise Unusable(N_("This is sent more than once."))
    return accepted[name](values[0])
