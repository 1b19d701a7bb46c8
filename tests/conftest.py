"""What all tests share: settings that point into a folder of their own, and nothing of the machine they run on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from webadmin import config
from webadmin.config import Config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty data folder."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def make_config(folder: Path, tmp_path: Path) -> Callable[..., Config]:
    """Settings as if only these variables were set: `make_config(PORT="8102")`."""

    def make(**variables: str) -> Config:
        places = {
            "DATABASE_PATH": str(folder / "assistants.db"),
            "DATABASE_BACKUP_DIR": str(folder / "backups"),
            "LOG_DIR": str(tmp_path / "logs"),
            "TIMEZONE": "UTC",
        }
        return Config.load(places | variables, env_file=None)

    return make


@pytest.fixture
def settings(make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch) -> Config:
    """Default settings, in force for the domain (`config.current()`) while the test runs."""
    values = make_config()
    monkeypatch.setattr(config, "_provider", lambda: values)
    return values
