"""Signs that another program works in the backup folder: what is not ours comes, files of ours go.

Another installation of this very program leaves a sign of its own, since its files look like ours.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

from webadmin import clock, config, keyfile
from webadmin.backups import folder as folder_of
from webadmin.backups.history import Backup, current_folder
from webadmin.backups.models import Kind, State
from webadmin.errors import N_, Message

# What somebody put here once is no news after a week; a program that writes here does it again.
_NEWS = timedelta(days=7)
# Renewed at each start and once a day by whoever runs the scheduled tasks of an installation.
_SIGN = ".installation-"
_SIGN_COUNTS_FOR = timedelta(days=2)
ID_FILE = "installation-id"


def leave_sign() -> None:
    """Renew the sign of this installation in the backup folder. Raises OSError, FolderReadOnly."""
    path = config.current().database_path.parent / ID_FILE
    name = _SIGN + keyfile.read_or_make(path, partial(secrets.token_hex, 8))
    folder_of.prepare(current_folder())
    with folder_of.translated_errors():
        descriptor = os.open(current_folder() / name, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        try:
            instant = clock.now().timestamp()
            os.utime(descriptor, (instant, instant))
        finally:
            os.close(descriptor)


def _signs_of_installations(now: datetime) -> list[datetime]:
    """When other installations last gave a sign of life in the folder, of those that did so lately."""
    own = keyfile.read(config.current().database_path.parent / ID_FILE)
    if own is None:
        return []
    found = []
    with suppress(OSError):
        for path in current_folder().glob(f"{_SIGN}*"):
            seen_at = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
            if path.name != _SIGN + own and now - seen_at < _SIGN_COUNTS_FOR:
                found.append(seen_at)
    return found


def signs_of_others(found: Iterable[Backup], now: datetime) -> list[Message]:
    """What tells that somebody else writes or deletes in the folder, as sentences; empty when nothing does.

    `found` is the whole list, newest first.
    """
    backups, said = list(found), []
    if signs := _signs_of_installations(now):
        text = N_("Another installation of this program uses this folder too; its last sign of life is of %(time)s.")
        local = max(signs).astimezone(config.current().timezone)
        said.append(Message(text, {"time": f"{local:%Y-%m-%d %H:%M}"}))
    if strange := _written_by_others(backups, now):
        text = N_("Another program writes here too: %(count)d files of the last 7 days, such as %(name)s.")
        said.append(Message(text, {"count": len(strange), "name": strange[0].name}))
    if gone := vanished(backups):
        text = N_("Files of ours vanished without our doing: %(count)d, such as %(name)s.")
        said.append(Message(text, {"count": len(gone), "name": gone[0].name}))
    if odd := folder_of.strange_entries(current_folder()):
        text = N_("No file, though it has the name of a backup: %(name)s (%(count)d such). It is left alone.")
        said.append(Message(text, {"count": len(odd), "name": odd[0]}))
    return said


def _written_by_others(backups: list[Backup], now: datetime) -> list[Backup]:
    """The files of the last week that this program neither made nor was given, since it makes backups here itself.

    Older ones were here before it, or came with a folder that was copied.
    """
    own = [backup.made_at for backup in backups if backup.has_file and backup.is_ours and backup.made_at]
    if not own:
        return []
    since = max(min(own), now - _NEWS)
    return [
        backup
        for backup in backups
        if backup.has_file and backup.kind is Kind.FOUND and backup.made_at and since < backup.made_at <= now
    ]


def vanished(found: Iterable[Backup]) -> list[Backup]:
    """The backups of ours whose file is neither in the folder nor in the bin."""
    missing = [backup for backup in found if backup.is_ours and backup.state is State.MISSING]
    binned = {entry.name for entry, _ in folder_of.bin_entries(current_folder())} if missing else set()
    return [backup for backup in missing if backup.name not in binned]
