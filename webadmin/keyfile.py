"""Secrets that the program makes once and keeps in a file of its own, mode 0600, the same for all processes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from webadmin import disk

_TEMPORARY = ".tmp-"


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """The text kept in `path`; where there is none yet, `make()` gives it. Raises OSError.

    The file appears whole under its name, so that of several processes that start together one wins and the others
    read what it wrote.
    """
    found = read(path)
    if found:
        return found
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(make() + "\n")
            file.flush()
            os.fsync(file.fileno())
        if not disk.take_name(temporary, path) and not read(path):
            # Emptied by hand; an empty secret would let everybody in.
            temporary.replace(path)
        disk.sync_folder(path.parent)
    finally:
        disk.remove(temporary)
    return path.read_text(encoding="ascii").strip()


def read(path: Path) -> str | None:
    """The text kept in `path`, None where there is no such file."""
    try:
        return path.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None


def remove_leftovers(folder: Path) -> None:
    """Delete what an hour ago could be neither named nor deleted in a folder of secrets."""
    disk.remove_old(folder.glob(f"{_TEMPORARY}*"), timedelta(hours=1))
