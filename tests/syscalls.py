"""Storage that fails: the kernel asks this process about each call by which another one changes files.

A program started by `launch` runs under a seccomp filter whose listener is here (seccomp_unotify(2), Linux 5.5): each
write, sync, creation, renaming and deletion stops until `Storage` lets it pass or answers with an error. So the n-th
call can be made to fail whoever makes it, SQLite or Python, in any thread or child, with no compiler and no root.

Run as a program it is the launcher: `python syscalls.py SOCKET PROGRAM ARGUMENT…`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Call -> its numbers (x86_64, aarch64), and where it says what it changes: a descriptor, a path (with the descriptor of
# the folder that it counts from, None for the working one), by the positions of its arguments.
_CALLS: dict[str, tuple[int | None, int | None, str, int, int | None]] = {
    "write": (1, 64, "descriptor", 0, None),
    "pwrite": (18, 68, "descriptor", 0, None),
    "writev": (20, 66, "descriptor", 0, None),
    "pwritev": (296, 70, "descriptor", 0, None),
    "pwritev2": (328, 287, "descriptor", 0, None),
    "sendfile": (40, 71, "descriptor", 0, None),
    "copy_file_range": (326, 285, "descriptor", 2, None),
    "ftruncate": (77, 46, "descriptor", 0, None),
    "fallocate": (285, 47, "descriptor", 0, None),
    "fsync": (74, 82, "descriptor", 0, None),
    "fdatasync": (75, 83, "descriptor", 0, None),
    "fchmod": (91, 52, "descriptor", 0, None),
    "open": (2, None, "path", 0, None),
    "openat": (257, 56, "path", 1, 0),
    "creat": (85, None, "path", 0, None),
    "mkdir": (83, None, "path", 0, None),
    "mkdirat": (258, 34, "path", 1, 0),
    "rename": (82, None, "path", 1, None),
    "renameat": (264, 38, "path", 3, 2),
    "renameat2": (316, 276, "path", 3, 2),
    "link": (86, None, "path", 1, None),
    "linkat": (265, 37, "path", 3, 2),
    "unlink": (87, None, "path", 0, None),
    "unlinkat": (263, 35, "path", 1, 0),
    "utimensat": (280, 88, "path", 1, 0),
}
_FLAGS_OF_OPEN = {"open": 1, "openat": 2}
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

# <linux/seccomp.h>, <linux/filter.h>, <linux/prctl.h>
_SET_MODE_FILTER, _NEW_LISTENER, _NO_NEW_PRIVILEGES = 1, 1 << 3, 38
_ALLOW, _NOTIFY, _CONTINUE = 0x7FFF0000, 0x7FC00000, 1
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_SECCOMP_CALL = {"x86_64": 317, "aarch64": 277}
_QUESTION = struct.Struct("QIIiIQ6Q")
_ANSWER = struct.Struct("QqiI")
_AT_FDCWD = -100
_LONGEST_PATH = 4096


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was asked about: its name and the file that it changes, as the kernel names it."""

    name: str
    path: str

    def __str__(self) -> str:
        return f"{self.name} {self.path}"


class Storage:
    """What a program under watch may do to the files under a folder; everything until `fail` is called."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.path.realpath(folder)
        self._mutex = threading.Lock()
        self._calls: list[Call] = []
        self._failed: list[Call] = []
        self._at, self._errno, self._is_for_ever = 0, 0, False
        # Where the next call that changes something is counted from.
        self._index = _ARCHITECTURES[platform.machine()][0]
        self._names = {call[self._index]: name for name, call in _CALLS.items() if call[self._index] is not None}

    def launch(self, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a program under watch; `options` are those of `subprocess.Popen`."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            launcher = [sys.executable, __file__, str(theirs.fileno()), *command]
            process = subprocess.Popen(launcher, pass_fds=[theirs.fileno()], **options)
            theirs.close()
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        threading.Thread(target=self._answer_all, args=descriptors, daemon=True).start()
        return process

    def fail(self, at: int, number: int, *, for_ever: bool = False) -> None:
        """From now on let the `at`-th call (from 1) fail with the errno `number`, and all after it, if `for_ever`."""
        with self._mutex:
            self._calls, self._failed = [], []
            self._at, self._errno, self._is_for_ever = at, number, for_ever

    def mend(self) -> list[Call]:
        """From now on let everything pass; the calls that failed since `fail`."""
        with self._mutex:
            self._at = 0
            return self._failed

    def calls(self) -> list[Call]:
        """The calls since `fail` or `mend`, in their order, those that failed included."""
        with self._mutex:
            return list(self._calls)

    def _answer_all(self, listener: int) -> None:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        try:
            # It hangs up when the last process under the filter is gone.
            while not poll.poll()[0][1] & select.POLLHUP:
                self._answer(listener)
        finally:
            os.close(listener)

    def _answer(self, listener: int) -> None:
        question = bytearray(_QUESTION.size)
        try:
            fcntl.ioctl(listener, _RECEIVE, question)
            id, process, _, number, _, _, *arguments = _QUESTION.unpack(question)
            refusal = self._decide(process, number, arguments)
            answer = _ANSWER.pack(id, 0, -refusal, 0) if refusal else _ANSWER.pack(id, 0, 0, _CONTINUE)
            fcntl.ioctl(listener, _SEND, answer)
        except FileNotFoundError:
            # Whoever asked was killed, or interrupted by a signal and asks again.
            return

    def _decide(self, process: int, number: int, arguments: list[int]) -> int:
        name = self._names[number]
        path = _path(process, _CALLS[name], arguments)
        if path is None or not (path == self._folder or path.startswith(self._folder + "/")):
            return 0
        if _finds_it_there(name, path, arguments):
            return 0
        with self._mutex:
            call = Call(name, path[len(self._folder) + 1 :])
            self._calls.append(call)
            count = len(self._calls)
            if self._at == 0 or count < self._at or (count > self._at and not self._is_for_ever):
                return 0
            self._failed.append(call)
            return self._errno


def _finds_it_there(name: str, path: str, arguments: list[int]) -> bool:
    """Whether the kernel says EEXIST before it touches the disk: making what there is fails in no other way."""
    if name in _FLAGS_OF_OPEN and not arguments[_FLAGS_OF_OPEN[name]] & os.O_EXCL:
        return False
    return name in {*_FLAGS_OF_OPEN, "mkdir", "mkdirat", "link", "linkat"} and os.path.lexists(path)


def _path(process: int, call: tuple[int | None, int | None, str, int, int | None], arguments: list[int]) -> str | None:
    _, _, kind, position, folder = call
    try:
        if kind == "descriptor":
            return os.readlink(f"/proc/{process}/fd/{arguments[position] & 0xFFFFFFFF}")
        text = os.fsdecode(_text_at(process, arguments[position]))
        if folder is None or ctypes.c_int(arguments[folder] & 0xFFFFFFFF).value == _AT_FDCWD:
            base = os.readlink(f"/proc/{process}/cwd")
        else:
            base = os.readlink(f"/proc/{process}/fd/{arguments[folder] & 0xFFFFFFFF}")
    except OSError:
        return None
    path = os.path.join(base, text)
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _text_at(process: int, address: int) -> bytes:
    if address == 0:
        return b""
    with open(f"/proc/{process}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        read = b""
        while b"\0" not in read and len(read) < _LONGEST_PATH:
            # Not beyond the page: the next one may not be there.
            read += memory.read(4096 - (address + len(read)) % 4096)
        return read.partition(b"\0")[0]


def _program(machine: str) -> bytes:
    """The filter: ask about the calls of the list, of opening only where it may create."""
    index, architecture = _ARCHITECTURES[machine]

    def step(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    asked = [(name, call[index]) for name, call in _CALLS.items() if call[index] is not None]
    steps = [step(_LOAD, 0, 0, 4), step(_EQUAL, 1, 0, architecture), step(_RETURN, 0, 0, _ALLOW), step(_LOAD, 0, 0, 0)]
    for name, number in asked:
        if name in _FLAGS_OF_OPEN:
            # O_TMPFILE, an unnamed new file, is O_CREAT's sibling; its bits hold those of O_DIRECTORY.
            creating = os.O_CREAT | (os.O_TMPFILE & ~os.O_DIRECTORY)
            steps += [
                step(_EQUAL, 0, 4, number),
                step(_LOAD, 0, 0, 16 + 8 * _FLAGS_OF_OPEN[name]),
                step(_ANY_BIT, 0, 1, creating),
                step(_RETURN, 0, 0, _NOTIFY),
                step(_RETURN, 0, 0, _ALLOW),
            ]
        else:
            steps += [step(_EQUAL, 0, 1, number), step(_RETURN, 0, 0, _NOTIFY)]
    return b"".join([*steps, step(_RETURN, 0, 0, _ALLOW)])


def _watched() -> int:
    """Put this process and its children under the filter; the descriptor by which the kernel asks."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = _program(platform.machine())
    steps = ctypes.create_string_buffer(program)
    described = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(steps))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    listener = libc.syscall(_SECCOMP_CALL[platform.machine()], _SET_MODE_FILTER, _NEW_LISTENER, described)
    if listener < 0:
        raise OSError(ctypes.get_errno(), f"seccomp: {errno.errorcode.get(ctypes.get_errno())}")
    return int(listener)


def main() -> None:
    parent = socket.socket(fileno=int(sys.argv[1]))
    listener = _watched()
    socket.send_fds(parent, [b"x"], [listener])
    os.close(listener)
    parent.close()
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
