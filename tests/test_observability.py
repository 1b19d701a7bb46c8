from __future__ import annotations

import contextvars
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from webadmin import observability
from webadmin.config import PROJECT, ConfigError

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) +(\S+) [\w.]+[:|] ")
log = logging.getLogger("webadmin.test")


@pytest.fixture
def logged(make_config):
    """Set up logging into a folder of its own; gives a function that reads the lines."""
    root = logging.getLogger()
    level = root.level

    def begin(**variables: str):
        config = make_config(LOG_LEVEL="debug", **variables)
        observability.set_up(config)
        path = config.log_dir / observability.LOG_FILE
        return lambda: path.read_text(encoding="utf-8").splitlines()

    yield begin
    for handler in [h for h in root.handlers if isinstance(h, observability.SharedFileHandler)]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def raise_and_log(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("It failed.")


def test_every_line_carries_the_request_id(logged):
    lines = logged()

    def request() -> str:
        value = observability.new_request_id()
        log.info("inside")
        raise_and_log("two\nlines")
        return value

    def outside_of_requests() -> None:
        assert observability.request_id() == "-"
        log.info("outside")

    # Contexts of their own: other tests made requests in this thread.
    request_id = contextvars.Context().run(request)
    contextvars.Context().run(outside_of_requests)
    *inside, outside = lines()
    assert len(inside) > 4
    assert all(LINE.match(line)[2] == request_id for line in inside)
    assert LINE.match(outside)[2] == "-"


def test_value_cannot_forge_a_line(logged):
    lines = logged()
    log.info("name: %s", "x\r\n2026-01-01T00:00:00.000Z INFO - webadmin: forged\u2028\x1b[31m\x85\u202egnp\u2066")
    [line] = lines()
    assert "x\\r\\n2026" in line
    assert "\x1b" not in line
    assert "\\u2028" in line
    assert "\\u202egnp\\u2066" in line
    assert line.isascii()


def test_line_of_a_traceback_cannot_be_forged(logged):
    lines = logged()
    raise_and_log("x\n2026-01-01T00:00:00.000Z INFO    - webadmin: forged")
    assert not [line for line in lines() if line.startswith("2026-01-01")]


@pytest.mark.parametrize(
    "message",
    [
        "Authorization: Bearer hunter2hunter2",
        "{'Cookie': 'a=hunter2; b=hunter2'}",
        'Set-Cookie: session="hunter2"',
        "POST password=hunter2&next=/",
        '{"password": "hunter2", "name": "ada"}',
        "csrf_token=hunter2",
        "got bearer hunter2",
        "SECRET_KEY=hunter2",
        "setup-code: hunter2",
    ],
)
def test_secret_is_hidden_by_its_name(logged, message):
    lines = logged()
    log.info(message)
    raise_and_log(message)
    text = "\n".join(lines())
    assert "hunter2" not in text
    assert "[hidden]" in text


def test_configured_and_made_secrets_are_hidden_wherever_they_stand(logged):
    lines = logged(SECRET_KEY="0123456789abcdef", ADMIN_USERNAME="ada", ADMIN_PASSWORD="correct horse")
    observability.hide("MADE-CODE")
    log.info("key 0123456789abcdef, correct horse, MADE-CODE")
    [line] = lines()
    assert line.endswith("key [hidden], [hidden], [hidden]")


def test_request_line_has_method_path_status_time_and_actor(logged):
    lines = logged()
    observability.log_access("GET", "/assistants", 200, 0.0123, "ada")
    [line] = lines()
    assert line.endswith(" webadmin.access: GET /assistants 200 12 ms ada")


def test_log_level_decides_what_is_logged(logged, make_config):
    lines = logged()
    observability.set_up(make_config(LOG_LEVEL="warn"))
    log.info("quiet")
    log.warning("heard")
    assert [line.rsplit(" ", 1)[1] for line in lines()] == ["heard"]


def test_full_file_is_put_aside_and_five_are_kept(logged, tmp_path):
    logged(LOG_MAX_SIZE="1000")
    for number in range(200):
        log.info("line %03d", number)
    files = sorted(p.name for p in (tmp_path / "logs").iterdir() if not p.name.startswith("."))
    assert files == [observability.LOG_FILE, *(f"{observability.LOG_FILE}.{n}" for n in range(1, 6))]
    assert all(p.stat().st_size <= 1000 for p in (tmp_path / "logs").iterdir())
    assert all(p.stat().st_mode & 0o077 == 0 for p in (tmp_path / "logs").iterdir())


WRITER = """
import logging, sys
from pathlib import Path
from webadmin import observability
handler = observability.SharedFileHandler(Path(sys.argv[1]), int(sys.argv[2]))
handler.setFormatter(logging.Formatter("%(message)s"))
for number in range(400):
    handler.emit(logging.LogRecord("x", 20, "", 0, f"{sys.argv[3]} {number} " + "x" * 50, None, None))
"""


def test_processes_share_one_file_and_lose_no_line(tmp_path):
    path = tmp_path / "shared.log"
    # Rotation happens about twice, so nothing may fall off the end.
    command = [sys.executable, "-c", WRITER, str(path), "25000"]
    writers = [subprocess.Popen([*command, str(n)], cwd=PROJECT) for n in range(3)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    lines = [line for p in tmp_path.glob("shared.log*") for line in p.read_text().splitlines()]
    assert len(list(tmp_path.glob("shared.log*"))) >= 3
    assert sorted(line.rsplit(" ", 1)[0] for line in lines) == sorted(f"{p} {n}" for p in range(3) for n in range(400))


def test_removed_file_is_made_again(logged, tmp_path):
    lines = logged()
    log.info("first")
    (tmp_path / "logs" / observability.LOG_FILE).unlink()
    log.info("second")
    assert lines()[0].endswith("second")


def test_folder_that_cannot_be_made_stops_the_start(make_config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as caught:
        observability.set_up(make_config(LOG_DIR=str(tmp_path / "file" / "logs")))
    assert caught.value.problems[0].startswith(f"LOG_DIR={tmp_path}/file/logs: accepted is a folder")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_stops_nothing(capsys):
    handler = observability.SharedFileHandler.__new__(observability.SharedFileHandler)
    logging.Handler.__init__(handler)
    handler._path = Path("/dev/full")
    handler._max_bytes = 10_000
    handler._descriptor = os.open("/dev/full", os.O_WRONLY)
    handler.emit(logging.LogRecord("x", 20, "", 0, "lost", None, None))
    handler.close()
    assert "No space left" in capsys.readouterr().err


def test_log_folder_that_goes_away_closes_nobody_elses_file(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    handler = observability.SharedFileHandler(folder / "app.log", 10_000)
    shutil.rmtree(folder)
    folder.write_text("a file stands where the folder should be")
    handler.handleError = lambda _record: None
    record = logging.LogRecord("x", logging.INFO, "", 0, "line", None, None)
    handler.emit(record)
    with (tmp_path / "other").open("w") as other:
        for _ in range(3):
            handler.emit(record)
        other.write("still open")
    folder.unlink()
    handler.emit(record)
    handler.close()
    assert "line" in (folder / "app.log").read_text()
