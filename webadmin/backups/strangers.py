"""Signs that another program works in the backup folder: what is not ours comes, files of ours go.

Another installation of this very program leaves a sign of its own, since its files look like ours.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from webadmin import clock, config, keyfile
from webadmin.backups import folder as folder_of
from webadmin.backups.history import Backup, current_folder
from webadmin.backups.lookup import History, Wanted
from webadmin.backups.models import Kind, State
from webadmin.errors import N_, Message

# What somebody put here once is no news after a week; a program that writes here does it again.
_NEWS = timedelta(days=7)
_EVER = datetime.min.replace(tzinfo=UTC)
# Renewed at each start and once a day by whoever runs the scheduled tasks of an installation.
_SIGN = ".installation-"
_SIGN_COUNTS_FOR = timedelta(days=2)
ID_FILE = "installation-id"


def leave_sign() -> None:
    """Renew the sign of this installation in the backup folder. Raises OSError, FolderReadOnly."""
    path, instant = _id_file(), clock.now().timestamp()
    is_new = not path.exists()
    name = _SIGN + keyfile.read_or_make(path, partial(secrets.token_hex, 8))
    if is_new:
        os.utime(path, (instant, instant))
    folder_of.prepare(current_folder())
    with folder_of.translated_errors():
        descriptor = os.open(current_folder() / name, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        try:
            os.utime(descriptor, (instant, instant))
        finally:
            os.close(descriptor)


def _id_file() -> Path:
    return config.current().database_path.parent / ID_FILE


def installed_at() -> datetime | None:
    """When this installation was started first: its id file is written once. None before that, or if it is gone."""
    try:
        return datetime.fromtimestamp(_id_file().stat().st_mtime, UTC)
    except OSError:
        return None


def _signs_of_installations(now: datetime) -> list[datetime]:
    """When other installations last gave a sign of life in the folder, of those that did so lately."""
    own = keyfile.read(_id_file())
    if own is None:
        return []
    found = []
    with suppress(OSError):
        for path in current_folder().glob(f"{_SIGN}*"):
            seen_at = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
            if path.name != _SIGN + own and now - seen_at < _SIGN_COUNTS_FOR:
                found.append(seen_at)
    return found


def signs_of_others(history: History, now: datetime) -> list[Message]:
    """What tells that somebody else writes or deletes in the folder, as sentences; empty when nothing does."""
    said = []
    if signs := _signs_of_installations(now):
        text = N_("Another installation of this program uses this folder too; its last sign of life is of %(time)s.")
        local = max(signs).astimezone(config.current().timezone)
        said.append(Message(text, {"time": f"{local:%Y-%m-%d %H:%M}"}))
    if strange := _written_by_others(history, now):
        text = N_("Another program writes here too: %(count)d files of the last 7 days, such as %(name)s.")
        said.append(Message(text, {"count": len(strange), "name": strange[0].name}))
    if gone := vanished(history):
        text = N_("Files of ours vanished without our doing: %(count)d, such as %(name)s.")
        said.append(Message(text, {"count": len(gone), "name": gone[0].name}))
    if odd := folder_of.strange_entries(current_folder()):
        text = N_(
            "No file, or one whose name is not UTF-8, though it is named like a backup: %(name)s (%(count)d such). "
            "It is left alone."
        )
        said.append(Message(text, {"count": len(odd), "name": odd[0]}))
    return said


def _written_by_others(history: History, now: datetime) -> list[Backup]:
    """The files of the last week that this program neither made nor was given, since it makes backups here itself.

    Older ones were here before it, or came with a folder that was copied.
    """
    own = history.oldest(Wanted(has_file=True, is_ours=True, made_from=_EVER))
    if own is None or own.made_at is None:
        return []
    since = max(own.made_at, now - _NEWS)
    found = history.walk(Wanted(frozenset({Kind.FOUND}), has_file=True, made_from=since))
    return [backup for backup in found if backup.made_at and since < backup.made_at <= now]


def vanished(history: History) -> list[Backup]:
    """The backups of ours whose file is neither in the folder nor in the bin."""
    missing = list(history.walk(Wanted(is_ours=True, state=State.MISSING)))
    binned = {entry.name for entry, _ in folder_of.bin_entries(current_folder())} if missing else set()
    return [backup for backup in missing if backup.name not in binned]
