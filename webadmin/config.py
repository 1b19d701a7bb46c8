"""Every setting of the program, in one table.

From `SETTINGS` come `Config`, `.env.local.example` and the table in `docs/configuration.md`. A value is taken from the
environment, else from `.env.local` in the project folder, else it is the one saved on the settings page (for those that
may be saved there), else the default. Nothing else reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import tzlocal
from dotenv.parser import parse_stream

from webadmin.parsers import (
    ADDRESS,
    BOOLEAN,
    DAYS,
    HOST,
    HOST_NAMES,
    MAIL_ADDRESS,
    MAIL_ADDRESSES,
    NETWORKS,
    ORIGINS,
    ROLE_NAMES,
    SIZE,
    TEXT,
    TIME,
    WEEKDAYS,
    ZONE,
    Parser,
    number,
    one_of,
    secret,
    secrets,
)

PROJECT = Path(__file__).resolve().parent.parent
ENV_FILE = PROJECT / ".env.local"

ENVIRONMENT = "environment"
SAVED = "settings page"
DEFAULT = "default"

# No text of a record may be longer than this, whatever the settings say (docs/backup-format.md).
TEXT_CEILING = 4 * 1024 * 1024


class ConfigError(Exception):
    """Settings that cannot be used; `problems` has one line for each, naming variable, value and what is accepted."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def _path(text: str) -> Path:
    try:
        return PROJECT / Path(text).expanduser()
    except RuntimeError as error:  # ~somebody, and there is nobody of that name.
        raise ValueError(text) from error


PATH = Parser("a path; a relative one counts from the project folder", _path)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its variable, the default as one would write it, how it is read, one line of help.

    A default of None means that there is no value unless one is set; `otherwise` says what happens then. A savable one
    may be chosen on the settings page, where neither environment nor file fixes it.
    """

    name: str
    default: str | None
    parser: Parser
    help: str
    otherwise: str = ""
    secret: bool = False
    is_savable: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("DATABASE_PATH", "./data/assistants.db", PATH, "The database file; what belongs to it lies beside it."),
    Setting("DATABASE_BACKUP_DIR", "./data/backups", PATH, "The folder of the backup files."),
    Setting("BACKUP_RETENTION_DAYS", "30", number(1, 36500), "Days that a backup made here is kept.", is_savable=True),
    Setting("AUTO_BACKUP_ENABLED", "true", BOOLEAN, "Whether the automatic backup runs.", is_savable=True),
    Setting("AUTO_BACKUP_TIME", "02:00", TIME, "When it runs, in the time zone below.", is_savable=True),
    Setting("AUTO_BACKUP_DAYS", ",".join(DAYS), WEEKDAYS, "The days of the week on which it runs.", is_savable=True),
    Setting(
        "BACKUP_MAX_COUNT",
        None,
        number(1, 1_000_000),
        "Most unpinned backups made here.",
        "no such limit",
        is_savable=True,
    ),
    Setting(
        "BACKUP_KEEP_DAILY",
        "0",
        number(0, 3660),
        "Newest days of which one backup stays beyond the days above.",
        is_savable=True,
    ),
    Setting("BACKUP_KEEP_WEEKLY", "0", number(0, 520), "The same for weeks.", is_savable=True),
    Setting("BACKUP_KEEP_MONTHLY", "0", number(0, 1200), "The same for months.", is_savable=True),
    Setting(
        "LOG_LEVEL", "info", one_of("debug", "info", "warn", "warning", "error"), "The least serious event to log."
    ),
    Setting("AUDIT_DAYS", "365", number(90, 36500), "Days that the activity log is kept."),
    Setting("LOG_DIR", "./logs", PATH, "The folder of the log files."),
    Setting("LOG_MAX_SIZE", "10MiB", SIZE, "Size at which a new log file is begun; the last five are kept."),
    Setting("DB_TIMEOUT", "5000", number(0, 600_000), "Milliseconds to wait for a lock on the database."),
    Setting("HOST", "127.0.0.1", TEXT, "The address to serve on; 0.0.0.0 is every address of the machine."),
    Setting("PORT", "8000", number(0, 65535), "The port to serve on; 0 lets the system choose a free one."),
    Setting(
        "ALLOWED_HOSTS",
        None,
        HOST_NAMES,
        "The names under which the site answers, besides localhost.",
        "any IP address",
    ),
    Setting(
        "TRUSTED_PROXIES",
        None,
        NETWORKS,
        "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
        "none; both are ignored",
    ),
    Setting(
        "HSTS",
        "host",
        one_of("off", "host", "subdomains", "preload"),
        "What browsers that came over TLS shall reach over TLS alone, for two years: this name, those below it too.",
    ),
    Setting("TIMEZONE", None, ZONE, "The zone of times shown, of file names and of the daily backup.", "the machine's"),
    Setting("SITE_NAME", "Assistant Admin", TEXT, "The name that pages show."),
    Setting("SITE_LANGUAGE", "en", one_of("en", "zh"), "The language of people whose browser asks for neither."),
    Setting(
        "SECRET_KEY",
        None,
        secret(16),
        "Signs forms and the marks of known browsers.",
        "made at the first start and kept in secret-key beside the database",
        secret=True,
    ),
    Setting(
        "SECRET_KEY_OLD", None, secrets(16), "Keys of before, whose signatures are still accepted.", "none", secret=True
    ),
    Setting("SECOND_FACTOR_REQUIRED", None, ROLE_NAMES, "Roles that need a second factor to sign in.", "none does"),
    Setting("SESSION_IDLE_HOURS", "12", number(1, 8760), "Hours without a request after which one must sign in again."),
    Setting("SESSION_KEPT_DAYS", "30", number(1, 365), "Days of that, where one chose to be kept signed in."),
    Setting("SESSION_MAX_DAYS", "90", number(1, 365), "Days after which one must sign in again in any case."),
    Setting("MAX_UPLOAD_SIZE", "512MiB", SIZE, "The largest upload, as sent; gzip may unpack to 20 times that."),
    Setting(
        "RATE_LIMIT_MAX_REQUESTS",
        "100",
        number(0, 1_000_000_000),
        "Most calls of the API in the time below, for each token, else for each address; 0 is no limit.",
    ),
    Setting("RATE_LIMIT_WINDOW_MS", "60000", number(1, 86_400_000), "Milliseconds for which calls are counted."),
    Setting("PUBLIC_READ", "false", BOOLEAN, "Whether anybody may read what is both public and published, by the API."),
    Setting("CORS_ORIGINS", None, ORIGINS, "Other sites whose pages may call the API with a token.", "no other site"),
    Setting(
        "WEBHOOK_URL",
        None,
        ADDRESS,
        "Is told of failures, late backups, recoveries.",
        "none",
        secret=True,
        is_savable=True,
    ),
    Setting("WEBHOOK_SECRET", None, secret(16), "Signs what it is told.", "no webhook", secret=True, is_savable=True),
    Setting("MAIL_TO", None, MAIL_ADDRESSES, "Who is told the same by mail.", "nobody", is_savable=True),
    Setting("MAIL_FROM", None, MAIL_ADDRESS, "The sender of these mails.", "no mail", is_savable=True),
    Setting("SMTP_HOST", None, HOST, "The mail server.", "no mail", is_savable=True),
    Setting("SMTP_PORT", "587", number(1, 65535), "Its port.", is_savable=True),
    Setting("SMTP_TLS", "starttls", one_of("starttls", "tls", "none"), "How it is reached.", is_savable=True),
    Setting("SMTP_USER", None, TEXT, "The account there.", "no sign-in", is_savable=True),
    Setting("SMTP_PASSWORD", None, secret(1), "Its password.", "no sign-in", secret=True, is_savable=True),
    Setting(
        "HEARTBEAT_URL",
        None,
        ADDRESS,
        "Is called after each automatic backup that was proved.",
        "none",
        secret=True,
        is_savable=True,
    ),
    Setting("NOTIFY_ALLOW_PRIVATE", "false", BOOLEAN, "Whether these may be on this machine or in private networks."),
    Setting("TITLE_MAX", "200", number(1, TEXT_CEILING), "Longest title that can be typed or sent, in characters."),
    Setting("DESC_MAX", "1000", number(1, TEXT_CEILING), "The same for the description."),
    Setting("PROMPT_MAX", "262144", number(1, TEXT_CEILING), "The same for the prompt."),
    Setting("EMOJI_MAX", "512", number(1, TEXT_CEILING), "The same for the emoji, which may be a name or an address."),
    Setting("AUTHOR_MAX", "100", number(1, TEXT_CEILING), "The same for the author."),
    Setting("ID_MAX", "255", number(1, 255), "The same for an id."),
    Setting("REVIEW_NOTE_MAX", "2000", number(1, TEXT_CEILING), "The same for a review note."),
    Setting("TAGS_MAX", "32", number(0, 1000), "Most tags of one assistant."),
    Setting("TAG_MAX", "100", number(1, TEXT_CEILING), "Longest tag, in characters."),
    Setting("ADMIN_USERNAME", None, TEXT, "The first administrator, made at the first start.", "a setup code is shown"),
    Setting(
        "ADMIN_PASSWORD", None, secret(1), "The password of that administrator.", "a setup code is shown", secret=True
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The values in force. Attributes are the settings' names in lower case; paths are absolute."""

    database_path: Path
    database_backup_dir: Path
    backup_retention_days: int
    auto_backup_enabled: bool
    auto_backup_time: time
    auto_backup_days: frozenset[int]
    backup_max_count: int | None
    backup_keep_daily: int
    backup_keep_weekly: int
    backup_keep_monthly: int
    log_level: str
    audit_days: int
    log_dir: Path
    log_max_size: int
    db_timeout: int
    host: str
    port: int
    allowed_hosts: frozenset[str] | None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] | None
    hsts: str
    timezone: ZoneInfo
    site_name: str
    site_language: str
    secret_key: str | None = field(repr=False)
    secret_key_old: tuple[str, ...] | None = field(repr=False)
    second_factor_required: frozenset[str] | None
    session_idle_hours: int
    session_kept_days: int
    session_max_days: int
    max_upload_size: int
    rate_limit_max_requests: int
    rate_limit_window_ms: int
    public_read: bool
    cors_origins: frozenset[str] | None
    webhook_url: str | None = field(repr=False)
    webhook_secret: str | None = field(repr=False)
    mail_to: tuple[str, ...] | None
    mail_from: str | None
    smtp_host: str | None
    smtp_port: int
    smtp_tls: str
    smtp_user: str | None
    smtp_password: str | None = field(repr=False)
    heartbeat_url: str | None = field(repr=False)
    notify_allow_private: bool
    title_max: int
    desc_max: int
    prompt_max: int
    emoji_max: int
    author_max: int
    id_max: int
    review_note_max: int
    tags_max: int
    tag_max: int
    admin_username: str | None
    admin_password: str | None = field(repr=False)
    sources: Mapping[str, str] = field(repr=False)

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        overrides: Mapping[str, str] | None = None,
        env_file: Path | None = ENV_FILE,
    ) -> Config:
        """Read all settings.

        Args:
            environ: the environment; that of the process if None.
            overrides: values by variable that count before all others.
            env_file: the file that counts after the environment; None reads none.

        Raises:
            ConfigError: some cannot be used; all of them are named at once.
        """
        problems: list[str] = []
        layers = {
            "override": dict(overrides or {}),
            ENVIRONMENT: dict(os.environ if environ is None else environ),
            ".env.local": _read_file(env_file, problems) if env_file else {},
        }
        values: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for setting in SETTINGS:
            try:
                text, sources[setting.name] = _look_up(setting, layers)
                values[setting.name.lower()] = _parse(setting, text)
            except ConfigError as error:
                problems += error.problems
        problems += _contradictions(values)
        if problems:
            raise ConfigError(problems)
        return cls(**values, sources=sources)

    def source(self, name: str) -> str:
        """Where the value of a variable comes from: `environment`, `.env.local`, `settings page` or `default`."""
        return self.sources[name]

    def is_locked(self, name: str) -> bool:
        """Whether environment or file fix the value, so that the settings page cannot."""
        return self.sources[name] not in (SAVED, DEFAULT)

    def with_saved(self, saved: Mapping[str, str]) -> Config:
        """These settings with the values saved on the settings page, by variable, where nothing fixes them.

        Raises ConfigError for one that cannot be used.
        """
        values: dict[str, Any] = {}
        problems: list[str] = []
        for setting in SETTINGS:
            if setting.is_savable and setting.name in saved and not self.is_locked(setting.name):
                try:
                    values[setting.name.lower()] = _parse(setting, saved[setting.name] or None)
                except ConfigError as error:
                    problems += error.problems
        if problems:
            raise ConfigError(problems)
        sources = {**self.sources, **{name.upper(): SAVED for name in values}}
        return replace(self, **values, sources=sources)


def _read_file(path: Path, problems: list[str]) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return {}
    # The line itself is not shown: it may hold a secret.
    problems += [f"{path.name} line {b.original.line}: accepted is NAME=value" for b in bindings if b.error]
    return {b.key: b.value for b in bindings if b.key and b.value is not None}


def _look_up(setting: Setting, layers: Mapping[str, Mapping[str, str]]) -> tuple[str | None, str]:
    """The text of a setting, None if there is none, and where it comes from. An empty value counts as not set."""
    for source, layer in layers.items():
        text = layer.get(setting.name, "")
        file = layer.get(f"{setting.name}_FILE", "") if setting.secret else ""
        if text and file:
            raise ConfigError([f"{setting.name} and {setting.name}_FILE are both set: accepted is one of the two"])
        if file:
            return _read_secret(setting, file), source
        if text if setting.secret else text.strip():
            return text, source
    return setting.default, DEFAULT


def _read_secret(setting: Setting, path: str) -> str:
    try:
        return (PROJECT / path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [f"{setting.name}_FILE={path}: accepted is a readable text file ({type(error).__name__})"]
        ) from error


def _parse(setting: Setting, text: str | None) -> Any:
    if text is None:
        return _local_zone() if setting.name == "TIMEZONE" else None
    try:
        return setting.parser.parse(text if setting.secret else text.strip())
    except ValueError as error:
        shown = "" if setting.secret else f"={text}"
        raise ConfigError([f"{setting.name}{shown}: accepted is {setting.parser.accepts}"]) from error


def _local_zone() -> ZoneInfo:
    try:
        return ZoneInfo(tzlocal.get_localzone_name() or "UTC")
    except (OSError, LookupError, ValueError) as error:
        raise ConfigError([f"TIMEZONE is not set, the machine's zone unclear: accepted is {ZONE.accepts}"]) from error


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """Values that are fine each for itself, and still cannot be used. Values that failed already are absent."""
    problems = []
    if bool(values.get("admin_username")) != bool(values.get("admin_password")):
        problems.append("ADMIN_USERNAME and ADMIN_PASSWORD: accepted is both or neither")
    database: Path | None = values.get("database_path")
    if database and database.is_dir():
        problems.append(f"DATABASE_PATH={database}: accepted is a file, and this is a folder")
    for name in ("DATABASE_BACKUP_DIR", "LOG_DIR"):
        folder: Path | None = values.get(name.lower())
        if folder and folder.exists() and not folder.is_dir():
            problems.append(f"{name}={folder}: accepted is a folder, and this is a file")
    return problems


_provider: Callable[[], Config] | None = None


def use(provider: Callable[[], Config]) -> None:
    """Say where `current` finds the settings; called once, by the application."""
    global _provider
    _provider = provider


def current() -> Config:
    """The settings of the running application.

    Raises:
        LookupError: no application has been made.
    """
    if _provider is None:
        raise LookupError("no application has been made, so there are no settings in force")
    return _provider()
