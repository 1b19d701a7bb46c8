"""Backups over the API (contract 5): `GET …/backup/export`, `POST …/import`, `GET …/list`, `POST …/create`."""

from __future__ import annotations

import re
from typing import IO, Any, BinaryIO, cast

from flask import Blueprint, Response, request, send_file

from webadmin import backups, config, disk, jobs, operations, safety, strict
from webadmin.api import answers
from webadmin.api.bodies import UnsupportedType, a_text, is_utf8, read_object
from webadmin.api.jobs import answer
from webadmin.api.parameters import BOOLEAN, Unusable, one_of, read_options, read_query
from webadmin.backups import Mode
from webadmin.db import db, translated_errors
from webadmin.errors import N_, Invalid, Message, Problem
from webadmin.jobs import Progress
from webadmin.operations import ImportOptions
from webadmin.security import current_actor

MULTIPART = "multipart/form-data"
_DOCUMENTS = frozenset({"application/json", "application/gzip", "application/x-gzip"})
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip"})
_FINGERPRINT = re.compile(backups.FINGERPRINT)


def _a_fingerprint(sent: str) -> str | None:
    if sent and not _FINGERPRINT.fullmatch(sent):
        raise Unusable(N_("“%(value)s” is no fingerprint of a dry run."), value=strict.shown(sent))
    return sent or None


_OPTIONS = {
    "mode": one_of(tuple(Mode)),
    "dryRun": one_of(BOOLEAN),
    "onError": one_of(("abort", "skip")),
    "confirmDeleteAll": one_of(BOOLEAN),
    "acceptAltered": one_of(BOOLEAN),
    "fingerprint": _a_fingerprint,
}


def register(blueprint: Blueprint) -> None:
    """Put the calls under `/api`, and say what became of an import whose process was killed."""
    jobs.on_stopped(operations.DIRECT_IMPORT, operations.find_import)
    blueprint.add_url_rule("/assistants/backup/export", view_func=export_catalogue)
    blueprint.add_url_rule("/assistants/backup/import", view_func=import_document, methods=["POST"])
    blueprint.add_url_rule("/assistants/backup/list", view_func=list_backups)
    blueprint.add_url_rule("/assistants/backup/create", view_func=create_backup, methods=["POST"])


def export_catalogue() -> Response:
    """The whole catalogue as a layout A document; it is complete before the first byte leaves.

    HEAD writes it too, though nowhere: how long it is depends on every record, and a download manager asks for that.
    """
    read_query({})
    if request.method == "HEAD":
        name, size_bytes = backups.measure_export(current_actor())
        response = Response(mimetype="application/json")
        response.headers.set("Content-Disposition", "attachment", filename=name)
    else:
        made = backups.export(current_actor())
        size_bytes = made.size_bytes
        response = send_file(
            made.file,
            mimetype="application/json",
            as_attachment=True,
            download_name=made.name,
            conditional=False,
            etag=False,
        )
    response.content_length = size_bytes
    response.headers["Cache-Control"] = "no-store"
    return response


def list_backups() -> Response:
    """Every backup, newest first."""
    read_query({})
    backups.sync()
    with translated_errors():
        return answers.success([each.as_json() for each in backups.list_backups(db.session())])


def create_backup() -> Response:
    """Make a backup, as a task that others can see; answers with its row when it has ended."""
    read_query({})
    note = read_object({"note": _a_note}, may_be_empty=True).get("note")
    return answer(safety.start_backup(current_actor(), note=note), status=201)


def _a_note(value: Any) -> str | None:
    text = a_text(value).strip()
    if len(text) > backups.NOTE_MAX:
        raise Unusable(N_("This has more than %(limit)d characters."), limit=backups.NOTE_MAX)
    return text or None


def import_document() -> Response:
    """Import a backup document, as a task that others can see; answers when it has ended."""
    _check_type()
    chosen = read_options(_OPTIONS, request.args, request.form, ignored=("csrf_token",))
    actor, job_id = current_actor(), jobs.new_id()
    stream, name = _source()
    # Before the file is taken in, so that nobody waits for an answer that is known; the import asks again.
    backups.refuse_when_busy()
    file = jobs.folder() / f"{job_id}.upload"
    backups.receive(stream, file, bound=config.current().max_upload_size)

    def work(progress: Progress) -> dict[str, Any]:
        try:
            result = operations.import_file(
                actor,
                file,
                ImportOptions(
                    mode=Mode(chosen.get("mode", Mode.MERGE)),
                    skip_bad=chosen.get("onError") == "skip",
                    accept_altered=chosen.get("acceptAltered") == "true",
                    confirm_delete_all=chosen.get("confirmDeleteAll") == "true",
                ),
                source_name=name,
                is_dry_run=chosen.get("dryRun") == "true",
                fingerprint=chosen.get("fingerprint"),
                job_id=job_id,
                progress=progress,
            )
        finally:
            disk.remove(file)
        return result.as_json()

    title = Message(N_("Import of %(name)s"), {"name": name})
    try:
        job = jobs.start(operations.DIRECT_IMPORT, actor, work, title=title, id=job_id)
    except BaseException:
        disk.remove(file)
        raise
    return answer(job)


def _check_type() -> None:
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    is_file = request.mimetype in _DOCUMENTS and is_utf8() and encoding in _ENCODINGS
    is_form = request.mimetype == MULTIPART and encoding in ("", "identity")
    if not is_file and not is_form:
        raise UnsupportedType(
            N_(
                "Send multipart/form-data with the field “file”, or the document as application/json in UTF-8, gzip or "
                "not."
            )
        )


def _source() -> tuple[BinaryIO, str]:
    """The stream of the one file that was sent, and its name. Raises Invalid when there is none, or several."""
    if request.mimetype != MULTIPART:
        if not request.content_length:
            raise _no_file(N_("The body is empty; send the backup document."))
        return cast("BinaryIO", request.stream), "—"
    sent = list(request.files.items(multi=True))
    if len(sent) != 1 or sent[0][0] != "file":
        raise _no_file(N_("Send one file, in the field “file”."))
    upload: IO[bytes] = sent[0][1].stream
    return cast("BinaryIO", upload), sent[0][1].filename or "—"


def _no_file(template: str) -> Invalid:
    return Invalid(template, problems=[Problem(Message(template), field="file")])
