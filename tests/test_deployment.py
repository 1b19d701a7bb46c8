"""`flask doctor --deploy`: each setting that does not fit a machine in the open, found by its code."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from tests.people import add_person
from tests.sites import Site
from webadmin import accounts, clock, config, deployment
from webadmin.accounts import SYSTEM
from webadmin.config import PROJECT
from webadmin.db import transaction

KEY = "0123456789abcdef0123456789ABCDEF"


@pytest.fixture
def found(app, make_config, monkeypatch):
    """What the checks say with these settings: code to state."""
    monkeypatch.delenv("FLASK_DEBUG", raising=False)

    def check(**variables):
        values = make_config(**{"RATE_LIMIT_MAX_REQUESTS": "100"} | variables)
        monkeypatch.setattr(config, "_provider", lambda: values)
        with app.app_context():
            checks = deployment.run_checks()
        assert all(check.next_step for check in checks if check.state != "ok")
        return {check.code: str(check.state) for check in checks}

    return check


def test_defaults_fit_but_for_the_one_disk_and_the_proxy_that_is_not_named(found):
    wanting = {code for code, state in found().items() if state != "ok"}
    assert wanting - {"deploy-backup-disk"} == {"deploy-proxies", "deploy-cookies"}


@pytest.mark.parametrize(
    ("variables", "code", "state"),
    [
        ({"SECRET_KEY": KEY[:31]}, "deploy-secret-key", "bad"),
        ({"SECRET_KEY": KEY}, "deploy-secret-key", "ok"),
        ({"SECRET_KEY": "abcabcabc" * 9}, "deploy-secret-key", "bad"),
        ({"SECRET_KEY_OLD": KEY}, "deploy-secret-key-old", "warn"),
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "deploy-proxies", "bad"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8"}, "deploy-proxies", "ok"),
        ({"TRUSTED_PROXIES": "::/0"}, "deploy-proxies", "bad"),
        ({"TRUSTED_PROXIES": "127.0.0.1"}, "deploy-cookies", "ok"),
        ({"SESSION_IDLE_HOURS": "25"}, "deploy-sessions", "warn"),
        ({"SESSION_MAX_DAYS": "91"}, "deploy-sessions", "warn"),
        ({"NOTIFY_ALLOW_PRIVATE": "true"}, "deploy-notifications", "warn"),
        ({"SMTP_HOST": "mail.example", "SMTP_TLS": "none"}, "deploy-notifications", "warn"),
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


@pytest.mark.parametrize("name", ["assistants.db", "secret-key", "backups/b.json", "../logs/assistant-admin.log"])
def test_readable_file_is_red(found, folder, name):
    path = folder / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    assert found()["deploy-files"] == "ok"
    path.chmod(0o604)
    assert found()["deploy-files"] == "bad"


def test_weak_key_in_its_file_is_red(found, folder):
    (folder / "secret-key").write_text("a short one")
    assert found()["deploy-secret-key"] == "bad"


def test_administrators_without_a_second_factor_are_named(app, found):
    add_person(app, "Ed", role="editor")
    assert found()["deploy-second-factor"] == "ok"
    add_person(app, "Ada")
    assert found()["deploy-second-factor"] == "warn"
    assert found(SECOND_FACTOR_REQUIRED="admin")["deploy-second-factor"] == "ok"
    with app.app_context(), transaction() as session:
        accounts.find_user(session, "Ada").totp_secret = accounts.new_secret()
    assert found()["deploy-second-factor"] == "ok"


def test_tokens_without_end_about_to_end_and_unused_are_named(app, found, monkeypatch):
    codes = ("deploy-token-end", "deploy-token-ending", "deploy-token-unused")

    def states():
        checks = found()
        return [checks[code] for code in codes]

    def issue(name, days):
        with app.app_context(), transaction() as session:
            token, text = accounts.issue_token(session, SYSTEM, name, expires_days=days)
            return token.id, text

    token_id, text = issue("nightly", 100)
    assert states() == ["ok", "ok", "ok"]
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=85))
    assert states() == ["ok", "ok", "ok"]
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=91))
    assert states() == ["ok", "warn", "warn"]
    with app.app_context(), transaction() as session:
        accounts.authenticate_token(session, text)
    assert states() == ["ok", "warn", "ok"]
    with app.app_context(), transaction() as session:
        accounts.rotate_token(session, SYSTEM, token_id, expires_days=100)
    assert states() == ["ok", "ok", "ok"]
    issue("for ever", None)
    assert states() == ["warn", "ok", "ok"]
    with app.app_context():
        [check] = [each for each in deployment.run_checks() if each.code == "deploy-token-end"]
    assert check.fact.params["names"] == "for ever"


def test_command_adds_them_and_every_code_is_documented(tmp_path):
    site = Site(tmp_path, settings={"HOST": "0.0.0.0"})
    site.flask("db", "upgrade")
    said = json.loads(site.flask("doctor", "--deploy", "--json", ok=False).stdout)
    codes = [check["code"] for check in said if check["code"].startswith("deploy-")]
    assert len(codes) == 19
    text = (PROJECT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert [code for code in codes if f"`{code}`" not in text] == []
    site.close()
