"""`flask doctor --deploy`: each setting that does not fit a machine in the open, found by its code."""

from __future__ import annotations

import json

import pytest

from tests.sites import Site
from webadmin import config, deployment
from webadmin.config import PROJECT

KEY = "k" * 32


@pytest.fixture
def found(make_config, monkeypatch):
    """What the checks say with these settings: code to state."""
    monkeypatch.delenv("FLASK_DEBUG", raising=False)

    def check(**variables):
        values = make_config(**{"RATE_LIMIT_MAX_REQUESTS": "100"} | variables)
        monkeypatch.setattr(config, "_provider", lambda: values)
        checks = deployment.run_checks()
        assert all(check.next_step for check in checks if check.state != "ok")
        return {check.code: str(check.state) for check in checks}

    return check


def test_defaults_fit_but_for_the_one_disk_and_the_proxy_that_is_not_named(found):
    wanting = {code for code, state in found().items() if state != "ok"}
    assert wanting - {"deploy-backup-disk", "deploy-files"} == {"deploy-proxies"}


@pytest.mark.parametrize(
    ("variables", "code", "state"),
    [
        ({"SECRET_KEY": KEY[:31]}, "deploy-secret-key", "bad"),
        ({"SECRET_KEY": KEY}, "deploy-secret-key", "ok"),
        ({"HOST": "0.0.0.0"}, "deploy-host", "warn"),
        ({"HOST": "::1"}, "deploy-host", "ok"),
        ({"HOST": "host.example"}, "deploy-host", "warn"),
        ({"TRUSTED_PROXIES": "127.0.0.1"}, "deploy-proxies", "ok"),
        ({"HOST": "0.0.0.0"}, "deploy-proxies", "ok"),
        ({"HOST": "0.0.0.0"}, "deploy-allowed-hosts", "warn"),
        ({"TRUSTED_PROXIES": "127.0.0.1"}, "deploy-allowed-hosts", "warn"),
        ({"HOST": "0.0.0.0", "ALLOWED_HOSTS": "admin.example.org"}, "deploy-allowed-hosts", "ok"),
        ({"ALLOWED_HOSTS": "*"}, "deploy-allowed-hosts", "warn"),
        ({"ADMIN_USERNAME": "ada", "ADMIN_PASSWORD": "a long walk by the river"}, "deploy-admin-password", "warn"),
        ({"PUBLIC_READ": "true"}, "deploy-open", "warn"),
        ({"CORS_ORIGINS": "*"}, "deploy-open", "warn"),
        ({"CORS_ORIGINS": "https://chat.example"}, "deploy-open", "ok"),
        ({"RATE_LIMIT_MAX_REQUESTS": "0"}, "deploy-rate-limit", "warn"),
        ({"LOG_LEVEL": "debug"}, "deploy-log-level", "warn"),
        ({"DATABASE_BACKUP_DIR": "/dev/shm/nobody-made-this"}, "deploy-backup-disk", "ok"),
    ],
)
def test_setting_is_judged(found, variables, code, state):
    assert found(**variables)[code] == state


def test_debug_mode_is_red(found, monkeypatch):
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert found()["deploy-debug"] == "bad"


def test_readable_database_is_red(found, folder):
    path = folder / "assistants.db"
    path.touch(mode=0o600)
    path.chmod(0o644)
    assert found()["deploy-files"] == "bad"


def test_command_adds_them_and_every_code_is_documented(tmp_path):
    site = Site(tmp_path, settings={"HOST": "0.0.0.0"})
    site.flask("db", "upgrade")
    said = json.loads(site.flask("doctor", "--deploy", "--json", ok=False).stdout)
    codes = [check["code"] for check in said if check["code"].startswith("deploy-")]
    assert len(codes) == 11
    text = (PROJECT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert [code for code in codes if f"`{code}`" not in text] == []
    site.close()
