"""The reports of an import as CSV: what became of each record that differs, and what was wrong with the file."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from flask import Response, request, stream_with_context
from flask_babel import gettext

from webadmin import audit, security
from webadmin.backups import Action, Listed, Mode
from webadmin.errors import Problem
from webadmin.jobs import Job
from webadmin.web import imports
from webadmin.web.filters import message

RECORDS = ("id", "title", "action", "fields", "reason")
PROBLEMS = ("kind", "record", "id", "field", "message")
# Spreadsheets pass over some of what may stand before a formula; tab and line ends begin one by themselves.
_FORMULA = re.compile("['\ufeff ]*[=+@\t\n\v\r-]")
_BATCH = 500
# Without it, spreadsheets take the file for one of an older encoding.
_BYTE_ORDER_MARK = "\ufeff"


def records(job: Job) -> Response:
    """What became of each record that the file and the catalogue did not hold alike."""
    mode = Mode(job.params["choice"]["mode"])
    # Opened before the first byte leaves, so that what is gone is said as a page.
    with imports.choices(job):
        pass

    def rows() -> Iterator[Sequence[str]]:
        with imports.choices(job) as choices:
            for listed in choices.all(mode):
                change = listed.change
                yield change.id, change.title, *_outcome(listed, mode, is_undo=choices.is_undo)

    return _answer(RECORDS, rows(), "import-records.csv")


def _outcome(listed: Listed, mode: Mode, *, is_undo: bool) -> tuple[str, str, str]:
    """What was done, the fields that differ, and why nothing was done."""
    action, fields = listed.change.action, " ".join(listed.change.fields)
    kept = gettext("edited since the import") if is_undo else gettext("newer here")
    why = kept if listed.is_newer else gettext("chosen")
    if action is Action.ONLY_HERE and mode is not Mode.REPLACE:
        return "kept", fields, gettext("not in the file")
    if action is Action.UPDATE and mode is Mode.SKIP:
        return "kept", fields, gettext("only what is new was added")
    if listed.is_kept:
        return "skipped" if action is Action.CREATE else "kept", fields, why
    return {Action.CREATE: "created", Action.UPDATE: "updated"}.get(action, "deleted"), fields, ""


def problems(job: Job) -> Response:
    """The errors and warnings of the check, or why the file could not be read."""
    refused = imports.refusals(job)
    known = None if refused else imports.report(job)
    found = [("error", refused or (known.problems if known else [])), ("warning", known.warnings if known else [])]
    rows = [_problem(kind, each) for kind, of_kind in found for each in of_kind]
    return _answer(PROBLEMS, rows, "import-problems.csv")


def _problem(kind: str, problem: Problem) -> Sequence[str]:
    place = "" if problem.index is None else str(problem.index + 1)
    return kind, place, problem.id or "", problem.field or "", message(problem.message)


def guarded(text: str) -> str:
    """The text with an apostrophe before it where a spreadsheet would take it for a formula.

    So also where spaces, marks of byte order or apostrophes stand before such a beginning: taking one apostrophe away
    again gives every text back.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def _answer(head: Sequence[str], rows: Iterable[Sequence[str]], name: str) -> Response:
    if request.method != "HEAD":
        audit.note_done(security.current_actor(), audit.Act.REPORT_DOWNLOADED, audit.Thing(audit.Kind.FILE, name))
    return csv_answer(head, rows, name)


def csv_answer(head: Sequence[str], rows: Iterable[Sequence[str]], name: str) -> Response:
    """A table as a CSV file that is sent while its rows are read, with every cell guarded."""
    response = Response(stream_with_context(_lines(head, rows)), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    response.headers["Cache-Control"] = "no-store"
    return response


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    buffer = io.StringIO(_BYTE_ORDER_MARK)
    buffer.seek(0, io.SEEK_END)
    writer = csv.writer(buffer)
    writer.writerow(head)
    for number, row in enumerate(rows, 1):
        writer.writerow([guarded(text) for text in row])
        if number % _BATCH == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "replace")
