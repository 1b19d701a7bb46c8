"""Logging: one file that all processes share, the terminal of the server, a request id on every line, no secret.

Several processes write one file without a server between them: each line is one append, which the system keeps whole,
and rotation is done under an operating-system lock by whichever process finds the file full. A process whose file was
rotated by another one notices by the file's identity and opens the new one. (logging's RotatingFileHandler does
neither: two processes rotate over each other and lose a file each time.)
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from webadmin import clock
from webadmin.config import SETTINGS, Config, ConfigError

LOG_FILE = "assistant-admin.log"
_OLD_FILES = 5
_NO_REQUEST = "-"
_HIDDEN = "[hidden]"
# A shorter text would be hidden inside ordinary words.
_SHORTEST_SECRET = 6

_request_id: ContextVar[str] = ContextVar("request_id", default=_NO_REQUEST)
_access_log = logging.getLogger("webadmin.access")

# Headers are hidden to the end of the line, named values up to the next separator.
_SECRET_HEADER = re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s*[:=]\s*).+")
_SECRET_VALUE = re.compile(
    r"(?i)\b([\w-]*(?:password|passwd|secret|token|secret[_-]key|setup[_-]code))(['\"]?\s*[:=]\s*['\"]?)[^\s'\"&,;)}\]]+"
)
_BEARER = re.compile(r"(?i)\b(bearer)(\s+)[\w.~+/=-]+")

# What could begin a new line, move the cursor, colour the terminal or turn the reading direction is shown as an escape.
_TURNING = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {code: ascii(chr(code))[1:-1] for code in [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *_TURNING]}


def new_request_id() -> str:
    """Begin a request: a new id, which every line logged in this context carries from now on."""
    value = secrets.token_hex(8)
    _request_id.set(value)
    return value


def request_id() -> str:
    """The id of the request that is being served; `-` outside of one."""
    return _request_id.get()


def log_access(method: str, path: str, status: int, seconds: float, actor: str) -> None:
    """Write the line of one request. `path` is without its query, which may hold what people searched for."""
    _access_log.info("%s %s %d %.0f ms %s", method, path, status, seconds * 1000, actor)


class LineFormatter(logging.Formatter):
    """Time, level, request id, logger, message; a traceback as further lines, each with the same beginning."""

    def __init__(self) -> None:
        super().__init__()
        self._secrets: set[str] = set()

    def hide(self, secret: str) -> None:
        """Never show this text."""
        if len(secret) >= _SHORTEST_SECRET:
            self._secrets.add(secret)

    def format(self, record: logging.LogRecord) -> str:
        """The lines of one record, without the last line end."""
        time = clock.to_text(datetime.fromtimestamp(record.created, UTC))
        start = f"{time} {record.levelname:<7} {request_id()} {record.name}"
        lines = [f"{start}: {self._safe(record.getMessage())}"]
        if record.exc_info and record.exc_info[1]:
            text = "".join(traceback.format_exception(record.exc_info[1]))
            lines += [f"{start}| {self._safe(line)}" for line in text.splitlines()]
        return "\n".join(lines)

    def _safe(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        for pattern in (_SECRET_HEADER, _BEARER, _SECRET_VALUE):
            text = pattern.sub(rf"\1\2{_HIDDEN}", text)
        return text.translate(_ESCAPES)


class SharedFileHandler(logging.Handler):
    """Appends to a file that other processes append to as well, and begins a new one when it is full."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__()
        self._path = path
        self._max_bytes = max_bytes
        self._lock_file = FileLock(path.with_name(f".{path.name}.lock"), mode=0o600)
        self._descriptor = self._open()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. Failing (a full disk) is told on stderr and stops nothing."""
        try:
            line = (self.format(record) + "\n").encode(errors="backslashreplace")
            self._follow()
            if os.fstat(self._descriptor).st_size + len(line) > self._max_bytes:
                self._rotate(len(line))
            os.write(self._descriptor, line)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Close the file."""
        with self.lock or contextlib.nullcontext():
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
        super().close()

    def _open(self) -> int:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _reopen(self) -> None:
        # Opened before the old one is closed: a closed number would soon be another file's, a socket's or the
        # database's, and be closed again at the next line.
        stale, self._descriptor = self._descriptor, self._open()
        os.close(stale)

    def _follow(self) -> None:
        """Open the file anew if somebody rotated or removed it."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self._path), os.fstat(self._descriptor)):
                return
        self._reopen()

    def _rotate(self, line_bytes: int) -> None:
        try:
            self._lock_file.acquire(timeout=1)
        except Timeout:
            return  # The other process is rotating; one line over the size does no harm.
        try:
            self._follow()
            size = os.fstat(self._descriptor).st_size
            if not size or size + line_bytes <= self._max_bytes:
                return  # Another process was first.
            names = [self._path, *(self._path.with_name(f"{self._path.name}.{n}") for n in range(1, _OLD_FILES + 1))]
            for older, newer in reversed(list(zip(names[1:], names[:-1], strict=True))):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(newer, older)
            self._reopen()
        finally:
            self._lock_file.release()


_formatter = LineFormatter()


def hide(secret: str) -> None:
    """Keep a secret that was made at run time (a key, a code, a token) out of every line."""
    _formatter.hide(secret)


def set_up(config: Config) -> None:
    """Send the log of this process to `LOG_DIR`.

    Raises:
        ConfigError: nothing can be written there.
    """
    for setting in SETTINGS:
        if setting.secret:
            value = getattr(config, setting.name.lower()) or ""
            for each in (value,) if isinstance(value, str) else value:
                hide(each)
    try:
        config.log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = SharedFileHandler(config.log_dir / LOG_FILE, config.log_max_size)
    except OSError as error:
        raise ConfigError(
            [f"LOG_DIR={config.log_dir}: accepted is a folder that can be written ({error.strerror})"]
        ) from error
    _install(handler, instead_of=SharedFileHandler)
    logging.getLogger().setLevel(logging.getLevelNamesMapping()[config.log_level.upper()])
    # These tell of each job run, each migration and each waiting request; what goes wrong is still logged.
    for name in ("apscheduler", "alembic", "tzlocal"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class TerminalHandler(logging.StreamHandler):  # type: ignore[type-arg]  # The stub is generic, the class is not.
    """The log on the server's terminal."""


def show_on_terminal() -> None:
    """Show the log on stderr as well; for the server, whose terminal it is."""
    _install(TerminalHandler(sys.stderr), instead_of=TerminalHandler)


def _install(handler: logging.Handler, *, instead_of: type[logging.Handler]) -> None:
    handler.setFormatter(_formatter)
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, instead_of)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
