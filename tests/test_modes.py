"""Whatever the program makes is closed to other accounts of the machine, also with the most open umask."""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.people import close
from tests.sites import Site
from tests.test_damage import break_page
from webadmin import backups, snapshots
from webadmin.accounts import SYSTEM
from webadmin.app import create_app
from webadmin.config import Config
from webadmin.db import db


class Watch(threading.Thread):
    """Looks at everything below a folder again and again, for what lives for moments alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.open_to_others, self.seen = folder, {}, set()
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.is_set():
            self.look()
            self.is_over.wait(0.02)

    def look(self) -> None:
        for parent, folders, files in os.walk(self.folder):
            for name in [*folders, *files]:
                path = Path(parent, name)
                with suppress(FileNotFoundError):
                    mode = stat.S_IMODE(path.lstat().st_mode)
                    self.seen.add(str(path.relative_to(self.folder)))
                    if mode & 0o077:
                        self.open_to_others[str(path.relative_to(self.folder))] = oct(mode)


@pytest.fixture
def umask_of_nobody() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask_of_nobody")
def test_nothing_that_is_made_is_open_to_other_accounts(tmp_path: Path) -> None:
    home = tmp_path / "site"
    data = home / "not" / "there" / "data"
    site = Site(
        tmp_path,
        {
            "DATABASE_PATH": str(data / "assistants.db"),
            "DATABASE_BACKUP_DIR": str(data / "backups"),
            "LOG_DIR": str(home / "logs" / "of" / "it"),
            "LOG_MAX_SIZE": "1000",
        },
    )
    home.mkdir(mode=0o700)
    watch = Watch(home)
    watch.start()
    server = site.serve()
    with site.client(server) as client:
        for n in range(3):
            fields = {"id": f"ast_{n}", "title": f"Number {n}", "desc": "d", "emoji": "1", "prompt": "p"}
            assert client.post("/api/assistants", json=fields).status_code == 201
        rows = [{"id": f"n{n}", "title": "t", "prompt": "p" * 1000} for n in range(600)]
        sent = client.post("/api/assistants/backup/import", files={"file": ("a.json", json.dumps(rows))})
        assert sent.status_code == 200
        assert client.get("/api/assistants/backup/export").status_code == 200
        assert client.post("/api/assistants/backup/create").status_code == 201
    app = create_app(Config.load(site.environment(), env_file=None))
    with app.app_context():
        snapshots.take()
        backups.delete(SYSTEM, backups.list_backups(db.session())[0].name)
    close(app)
    server.stop()
    break_page(data / "assistants.db", "aa_revision")
    site.flask("recover")
    export = home / "export.json"
    site.flask("assistants", "export", str(export))
    watch.is_over.set()
    watch.join()
    watch.look()
    seen = {re.sub(r"\d{8}_\d{6}", "TIME", name.replace("not/there/data/", "")) for name in watch.seen}
    assert seen >= {
        *("assistants.db", "assistants.db-wal", "assistants.db-shm", "runtime.db", "runtime.db-wal", "secret-key"),
        *(
            "setup-code",
            "installation-id",
            ".upgrade.lock",
            ".recovery.lock",
            "damaged-TIME/assistants.db",
            ".incoming",
        ),
        *("backups/.bin/assistants_backup_TIME.json", "backups/.lock", "snapshots/assistants_TIME.db"),
        *("snapshots/assistants_TIME.db.sha256", "logs/of/it/assistant-admin.log.1", "not/there", "export.json"),
    }
    assert any(name.startswith(".incoming/") for name in seen)
    assert any(name.startswith(".recovery/") for name in seen)
    assert watch.open_to_others == {}
    site.close()
