"""What the two pages that take a file have in common."""

from __future__ import annotations

from typing import BinaryIO, cast

from flask import request
from flask_babel import gettext
from werkzeug.datastructures import FileStorage

from webadmin import backups, config, disk, jobs
from webadmin.accounts import Actor
from webadmin.web.filters import size


def too_large_words() -> str:
    """Why an upload over the limit was refused, with both sizes."""
    limit = size(config.current().max_upload_size)
    if request.content_length is None:
        return gettext("The file is larger than the limit of %(limit)s.", limit=limit)
    return gettext("The file is %(size)s; the limit is %(limit)s.", size=size(request.content_length), limit=limit)


def stream_of(file: FileStorage) -> BinaryIO:
    """The bytes of an upload, which lie in a file by now unless they are few."""
    return cast("BinaryIO", file.stream)


def keep(actor: Actor, file: FileStorage, filename: str) -> backups.Backup:
    """Keep an upload as a backup. Raises TooLarge, InvalidBackup, Busy, DiskFull."""
    path = jobs.folder() / f"{jobs.new_id()}.upload"
    try:
        backups.receive(stream_of(file), path, bound=config.current().max_upload_size)
        return backups.keep_upload(actor, path, filename)
    finally:
        disk.remove(path)
