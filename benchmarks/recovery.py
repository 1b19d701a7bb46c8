"""How long a restore takes, beside what the program says it takes: `python benchmarks/recovery.py [COUNT ...]`.

For each count a catalogue is made and backed up, and the backup is restored into the empty catalogue of another data
folder by the server there. What is told comes from the time of the rebuild that proved the backup.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from large import PYTHON, ROOT, Server

_SIZES = (1_000, 10_000, 100_000)


def main() -> None:
    """Run the measurements and print a line for each size."""
    for count in [int(each) for each in sys.argv[1:]] or _SIZES:
        folder = Path(tempfile.mkdtemp(prefix="recovery-"))
        try:
            measure(count, folder)
        finally:
            shutil.rmtree(folder)


def measure(count: int, folder: Path) -> None:
    """Back up a catalogue of `count` assistants, restore it elsewhere, print both times."""
    document = folder / "catalogue.json"
    subprocess.run([PYTHON, "benchmarks/generate.py", str(count), str(document)], cwd=ROOT, check=True)
    backup, told = back_up(folder / "old", document)
    seconds, created = restored(folder / "new", backup)
    print(f"{created} records: told {told:.2f} s, taken {seconds:.2f} s ({told / seconds:.2f})", flush=True)


def back_up(folder: Path, document: Path) -> tuple[Path, float]:
    """Fill a catalogue and back it up; the file, and how long a restore is said to take."""
    folder.mkdir()
    server = Server(folder)
    try:
        server.call("POST", "/api/assistants/backup/import", document)
        _, answer = server.call("POST", "/api/assistants/backup/create")
    finally:
        server.stop()
    row = json.loads(answer)["data"]
    return folder / "backups" / row["filename"], row["restoreSeconds"]


def restored(folder: Path, backup: Path) -> tuple[float, int]:
    """Restore a backup into an empty catalogue; the seconds, and how many records came."""
    folder.mkdir()
    server = Server(folder)
    try:
        begun = time.perf_counter()
        _, answer = server.call("POST", "/api/assistants/backup/import", backup)
        seconds = time.perf_counter() - begun
    finally:
        server.stop()
    return seconds, json.loads(answer)["data"]["created"]


if __name__ == "__main__":
    main()
