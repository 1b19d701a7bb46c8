from __future__ import annotations

from dataclasses import fields
from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from webadmin import config, parsers
from webadmin.accounts import Role
from webadmin.config import PROJECT, SETTINGS, Config, ConfigError


def load(file: Path | None = None, **variables: str) -> Config:
    return Config.load(variables, env_file=file)


def problems_of(file: Path | None = None, **variables: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(file, **variables)
    return caught.value.problems


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_setting_is_an_attribute():
    assert [s.name.lower() for s in SETTINGS] == [f.name for f in fields(Config) if f.name != "sources"]


def test_defaults_are_those_of_the_contract():
    values = load()
    assert values.database_path == PROJECT / "data" / "assistants.db"
    assert values.database_backup_dir == PROJECT / "data" / "backups"
    assert values.log_dir == PROJECT / "logs"
    assert (values.backup_retention_days, values.backup_max_count) == (30, None)
    assert (values.auto_backup_enabled, values.auto_backup_time) == (True, time(2, 0))
    assert (values.host, values.port, values.db_timeout) == ("127.0.0.1", 8000, 5000)
    assert values.max_upload_size == 512 * 1024 * 1024
    assert (values.title_max, values.desc_max, values.prompt_max, values.emoji_max) == (200, 1000, 262_144, 512)
    assert (values.author_max, values.id_max, values.review_note_max) == (100, 255, 2000)
    assert (values.tags_max, values.tag_max) == (32, 100)
    assert (values.rate_limit_max_requests, values.rate_limit_window_ms) == (100, 60_000)
    assert (values.public_read, values.cors_origins) == (False, None)
    assert (values.secret_key, values.admin_username, values.admin_password) == (None, None, None)


def test_environment_counts_before_file_and_file_before_default(tmp_path):
    file = write(tmp_path / ".env.local", "PORT=8001\nSITE_NAME='From the file'\n")
    values = load(file, PORT="8002")
    assert (values.port, values.source("PORT")) == (8002, "environment")
    assert (values.site_name, values.source("SITE_NAME")) == ("From the file", ".env.local")
    assert values.source("HOST") == "default"


def test_environment_of_the_process_is_not_changed_by_the_file(tmp_path, monkeypatch):
    monkeypatch.delenv("SITE_NAME", raising=False)
    file = write(tmp_path / ".env.local", "SITE_NAME=elsewhere\n")
    assert Config.load(env_file=file).site_name == "elsewhere"
    assert "SITE_NAME" not in config.os.environ


def test_empty_value_counts_as_not_set(tmp_path):
    values = load(write(tmp_path / ".env.local", "PORT=8001\n"), PORT="", BACKUP_MAX_COUNT=" ", SITE_NAME="  ")
    assert (values.port, values.backup_max_count, values.site_name) == (8001, None, "Assistant Admin")


def test_text_in_the_file_is_taken_as_written(tmp_path):
    file = write(tmp_path / ".env.local", "ADMIN_USERNAME=ada\nADMIN_PASSWORD='${PORT} $x #1 '\n")
    assert load(file, PORT="1").admin_password == "${PORT} $x #1 "


def test_all_mistakes_are_named_at_once():
    problems = problems_of(PORT="http", AUTO_BACKUP_TIME="2:00", AUTO_BACKUP_ENABLED="maybe", TIMEZONE="Mars/Base")
    assert [line.split(":")[0] for line in problems] == [
        "AUTO_BACKUP_ENABLED=maybe",
        "AUTO_BACKUP_TIME=2",
        "PORT=http",
        "TIMEZONE=Mars/Base",
    ]
    assert all("accepted is" in line for line in problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKUP_RETENTION_DAYS", "0"),
        ("BACKUP_RETENTION_DAYS", "36501"),
        ("BACKUP_RETENTION_DAYS", "-1"),
        ("BACKUP_RETENTION_DAYS", "1.5"),
        ("BACKUP_RETENTION_DAYS", "٣٠"),
        ("BACKUP_MAX_COUNT", "0"),
        ("AUTO_BACKUP_TIME", "24:00"),
        ("AUTO_BACKUP_TIME", "02:60"),
        ("AUTO_BACKUP_TIME", "02:00:00"),
        ("AUTO_BACKUP_ENABLED", "2"),
        ("LOG_LEVEL", "loud"),
        ("LOG_MAX_SIZE", "0"),
        ("MAX_UPLOAD_SIZE", "1TB"),
        ("MAX_UPLOAD_SIZE", "-5"),
        ("PORT", "65536"),
        ("SITE_LANGUAGE", "de"),
        ("TIMEZONE", ".."),
        ("TIMEZONE", "Europe"),
        ("ID_MAX", "256"),
        ("TAGS_MAX", "1001"),
        ("PROMPT_MAX", "4194305"),
        ("RATE_LIMIT_MAX_REQUESTS", "-1"),
        ("RATE_LIMIT_WINDOW_MS", "0"),
        ("RATE_LIMIT_WINDOW_MS", "86400001"),
        ("PUBLIC_READ", "everybody"),
        ("CORS_ORIGINS", "app.example.org"),
        ("CORS_ORIGINS", "https://app.example.org/"),
        ("CORS_ORIGINS", "https://app.example.org/page"),
        ("CORS_ORIGINS", "https://app.example.org:65536"),
        ("CORS_ORIGINS", "https://*.example.org"),
        ("CORS_ORIGINS", "https://me@example.org"),
        ("CORS_ORIGINS", "https://a.example,"),
        ("CORS_ORIGINS", "*, https://a.example"),
        ("CORS_ORIGINS", "null"),
    ],
)
def test_unusable_value_is_refused_by_name(name, value):
    [problem] = problems_of(**{name: value})
    assert problem.startswith(f"{name}={value}: accepted is ")


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("600 MB", 600_000_000), ("512MiB", 512 << 20), ("1gib", 1 << 30), ("2KB", 2000), ("2 KiB", 2048)],
)
def test_sizes_are_bytes_or_have_a_unit(text, size):
    assert load(MAX_UPLOAD_SIZE=text).max_upload_size == size


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "OFF"])
def test_booleans_are_strict_and_of_any_case(text):
    assert load(AUTO_BACKUP_ENABLED=text).auto_backup_enabled is False


def test_origins_are_read_as_browsers_write_them():
    values = load(CORS_ORIGINS="HTTPS://App.Example.org:443, http://localhost:3000,http://[::1]:80,app-x://local")
    assert values.cors_origins == {"https://app.example.org", "http://localhost:3000", "http://[::1]", "app-x://local"}
    assert load(CORS_ORIGINS=" * ").cors_origins == {"*"}


def test_zone_and_time_are_read():
    values = load(TIMEZONE="Europe/Berlin", AUTO_BACKUP_TIME="23:59")
    assert (values.timezone, values.auto_backup_time) == (ZoneInfo("Europe/Berlin"), time(23, 59))


def test_secret_comes_from_a_file_without_its_line_end(tmp_path):
    path = write(tmp_path / "key", "0123456789abcdef\n")
    values = load(SECRET_KEY_FILE=str(path))
    assert (values.secret_key, values.source("SECRET_KEY")) == ("0123456789abcdef", "environment")


def test_each_secret_can_come_from_a_file(tmp_path):
    texts = {setting.name: "0123456789abcdef" for setting in SETTINGS if setting.secret}
    texts |= {name: "https://hooks.example/a" for name in texts if name.endswith("_URL")}
    assert len(texts) == 7
    for name, text in texts.items():
        (tmp_path / name).write_text(f"{text}\n", encoding="utf-8")
    files = {f"{name}_FILE": str(tmp_path / name) for name in texts}
    assert "_FILE" not in " ".join(setting.name for setting in SETTINGS)
    values = load(**files, ADMIN_USERNAME="ada")
    read = {name: getattr(values, name.lower()) for name in texts}
    assert read == texts | {"SECRET_KEY_OLD": ("0123456789abcdef",)}


def test_keys_of_before_are_a_list_that_no_mistake_shows(tmp_path):
    (tmp_path / "old").write_text(f"{'a' * 16}\n{'b' * 20}  {'c' * 16}\n", encoding="utf-8")
    assert load(SECRET_KEY_OLD_FILE=str(tmp_path / "old")).secret_key_old == ("a" * 16, "b" * 20, "c" * 16)
    assert problems_of(SECRET_KEY_OLD="short " + "a" * 16) == [
        "SECRET_KEY_OLD: accepted is texts of at least 16 characters, separated by spaces or lines"
    ]


def test_secret_as_value_and_as_file_is_a_mistake(tmp_path):
    path = write(tmp_path / "key", "0123456789abcdef")
    assert problems_of(SECRET_KEY="0123456789abcdef", SECRET_KEY_FILE=str(path)) == [
        "SECRET_KEY and SECRET_KEY_FILE are both set: accepted is one of the two"
    ]


def test_missing_secret_file_is_named(tmp_path):
    [problem] = problems_of(SECRET_KEY_FILE=str(tmp_path / "none"))
    assert problem.startswith(f"SECRET_KEY_FILE={tmp_path}/none: accepted is a readable text file")


def test_secret_is_never_shown():
    problems = problems_of(SECRET_KEY="hunter2", PORT="x")
    assert len(problems) == 2
    assert "hunter2" not in " ".join(problems)
    values = load(SECRET_KEY="0123456789abcdef", ADMIN_USERNAME="ada", ADMIN_PASSWORD="hunter2")
    assert "0123456789abcdef" not in repr(values)
    assert "hunter2" not in repr(values)


def test_administrator_without_password_is_refused():
    assert problems_of(ADMIN_USERNAME="ada") == ["ADMIN_USERNAME and ADMIN_PASSWORD: accepted is both or neither"]


def test_folder_where_a_file_belongs_is_refused_and_the_reverse(tmp_path):
    file = write(tmp_path / "file", "")
    problems = problems_of(DATABASE_PATH=str(tmp_path), LOG_DIR=str(file))
    assert [line.split("=")[0] for line in problems] == ["DATABASE_PATH", "LOG_DIR"]


def test_line_that_is_no_setting_is_named_without_its_text(tmp_path):
    file = write(tmp_path / ".env.local", "PORT=1\nSECRET_KEY 'hunter2\n")
    assert problems_of(file) == [".env.local line 2: accepted is NAME=value"]


def test_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / ".env.local").write_bytes(b"PORT=\xff\n")
    [problem] = problems_of(tmp_path / ".env.local")
    assert problem.startswith(".env.local cannot be read")


def test_overrides_count_before_all():
    assert Config.load({"PORT": "1"}, overrides={"PORT": "2"}, env_file=None).port == 2


def test_current_settings_are_those_of_the_application(settings):
    assert config.current() is settings


def test_without_an_application_there_are_no_settings(monkeypatch):
    monkeypatch.setattr(config, "_provider", None)
    with pytest.raises(LookupError):
        config.current()


def test_the_roles_of_a_setting_are_those_that_exist():
    assert set(parsers.ROLES) == set(Role)
