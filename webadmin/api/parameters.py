"""Options of a call, sent as query parameters or as fields of its form; what is not understood is refused by name.

A misspelt `dryrun=true` that is ignored would change the catalogue instead of reporting, so unknown names are refused
like unknown values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from werkzeug.datastructures import MultiDict

from webadmin.errors import N_, Invalid, Message, Problem

BOOLEAN = ("true", "false")


class InvalidParameter(Invalid):
    """A parameter of the address cannot be used."""

    code = "INVALID_PARAMETER"


def read_options(
    accepted: Mapping[str, Sequence[str]],
    query: MultiDict[str, str],
    form: MultiDict[str, str],
    *,
    ignored: Iterable[str] = (),
) -> dict[str, str]:
    """The options that were sent, by name.

    Args:
        accepted: the values that each option may have.
        query: the parameters of the address.
        form: the fields of the body.
        ignored: further names that the form may have.

    Raises:
        InvalidParameter: a parameter of the address is unknown, cannot have this value, or is sent twice.
        Invalid: the same for a field of the form.
    """
    problems = [*_problems(accepted, query, ())]
    if problems:
        raise InvalidParameter(N_("A parameter cannot be used."), problems=problems)
    problems = [*_problems(accepted, form, ignored)]
    problems += [
        Problem(Message(N_("This is sent in the address and in the form, with different values.")), field=name)
        for name in accepted
        if name in query and name in form and query[name] != form[name]
    ]
    if problems:
        raise Invalid(N_("A field cannot be used."), problems=problems)
    return {name: value for source in (form, query) for name, value in source.items() if name in accepted}


def _problems(
    accepted: Mapping[str, Sequence[str]], sent: MultiDict[str, str], ignored: Iterable[str]
) -> Iterable[Problem]:
    for name, values in sent.lists():
        if name in ignored:
            continue
        template, params = "", {}
        if name not in accepted:
            template, params = N_("This is not known here; known are %(names)s."), {"names": ", ".join(accepted)}
        elif len(values) > 1:
            template = N_("This is sent more than once.")
        elif values[0] not in accepted[name]:
            template, params = (
                N_("“%(value)s” cannot be used; accepted are %(values)s."),
                {"value": values[0][:100], "values": ", ".join(accepted[name])},
            )
        if template:
            yield Problem(Message(template, params), field=name[:100])
