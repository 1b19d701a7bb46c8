"""The connection of SQLite's driver, as the program needs it."""

from __future__ import annotations

import sqlite3
from typing import Any
from weakref import WeakSet


class Connection(sqlite3.Connection):
    """A connection that can end what was begun and not read to its end.

    SQLite keeps the state that an open cursor reads, whatever is rolled back, and Python keeps the cursor for as long
    as the traceback of an error knows it. Whoever got the connection next would see that old state and could write
    nothing (SQLITE_BUSY_SNAPSHOT).
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, factory: Any = sqlite3.Cursor) -> Any:
        """As the driver's."""
        made = super().cursor(factory)
        self._cursors.add(made)
        return made

    def end_reading(self) -> None:
        """Close every cursor that was made."""
        for each in list(self._cursors):
            each.close()
        self._cursors.clear()

    def close(self) -> None:
        """As the driver's, and nothing of it goes on."""
        # SQLite would keep the file open, and the state, until the last cursor is gone.
        self.end_reading()
        super().close()
