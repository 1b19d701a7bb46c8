"""The checks of `flask doctor --deploy`: do the settings fit a machine that others can reach?

Each looks at one setting or file and names its remedy; what is a choice (public reading, one disk) is amber, never red.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from webadmin import config, hosts
from webadmin.config import PROJECT
from webadmin.diagnostics import Check, CheckState, Finding, run_each
from webadmin.errors import N_, Message

_KEY_LEAST = 32
_OFF = frozenset({"", "0", "false", "no"})


def run_checks() -> list[Check]:
    """Run them inside an application context."""
    return run_each(_CHECKS)


def _ok(fact: str, **params: object) -> Finding:
    return Finding(CheckState.OK, Message(fact, params))


def _found(state: CheckState, fact: str, step: str, **params: object) -> Finding:
    return Finding(state, Message(fact, params), Message(step, params))


def _secret_key() -> Finding:
    key = config.current().secret_key
    if key and len(key) < _KEY_LEAST:
        return _found(
            CheckState.BAD,
            N_("SECRET_KEY has %(length)d characters; sessions can be forged by guessing it."),
            N_("Set %(least)d random characters, or leave it out: then one is made and kept beside the database."),
            length=len(key),
            least=_KEY_LEAST,
        )
    return _ok(N_("It is long enough."))


def _host() -> Finding:
    host = config.current().host
    if hosts.is_loopback(host):
        return _ok(N_("Only this machine reaches the port (%(host)s)."), host=host)
    return _found(
        CheckState.WARN,
        N_("Other machines reach the port (%(host)s), and the program itself speaks plain HTTP."),
        N_("Set HOST=127.0.0.1 and put a proxy with TLS before it, unless the network is yours alone."),
        host=host,
    )


def _proxies() -> Finding:
    values = config.current()
    if values.trusted_proxies or not hosts.is_loopback(values.host):
        return _ok(N_("The addresses of clients are known."))
    return _found(
        CheckState.WARN,
        N_("Behind a proxy everybody would have its address: one who guesses passwords would slow down all."),
        N_("Set TRUSTED_PROXIES to the address of the proxy, and let it send X-Forwarded-For and X-Forwarded-Proto."),
    )


def _allowed_hosts() -> Finding:
    values = config.current()
    if "*" in (values.allowed_hosts or ()):
        return _found(
            CheckState.WARN,
            N_("ALLOWED_HOSTS is *: a page of another site can have its own name lead here and read what is shown."),
            N_("Set ALLOWED_HOSTS to the names under which people reach the site."),
        )
    if values.allowed_hosts is None and (values.trusted_proxies or not hosts.is_loopback(values.host)):
        return _found(
            CheckState.WARN,
            N_("The site has no name yet: it answers under localhost and IP addresses alone."),
            N_("Set ALLOWED_HOSTS to the names under which people reach the site."),
        )
    return _ok(N_("The site answers under its own names alone."))


def _debug() -> Finding:
    if os.environ.get("FLASK_DEBUG", "").lower() in _OFF:
        return _ok(N_("It is off."))
    return _found(
        CheckState.BAD, N_("FLASK_DEBUG is set: pages of errors show the program's insides."), N_("Remove FLASK_DEBUG.")
    )


def _files() -> Finding:
    database = config.current().database_path
    kept = [database, database.with_name("runtime.db"), database.with_name("secret-key"), PROJECT / ".env.local"]
    for path in kept:
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            return _found(
                CheckState.BAD,
                N_("Other accounts of this machine can read %(path)s."),
                N_("Run: chmod 600 %(path)s"),
                path=str(path),
            )
    return _ok(N_("Database, keys and settings are closed to other accounts."))


def _backup_disk() -> Finding:
    values = config.current()
    if _device(values.database_path.parent) != _device(values.database_backup_dir):
        return _ok(N_("Backups lie on another disk than the database."))
    return _found(
        CheckState.WARN,
        N_("Backups lie on the same disk as the database: when it breaks, both are lost."),
        N_("Set DATABASE_BACKUP_DIR to another disk, or copy the folder elsewhere each day."),
    )


def _device(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return folder.stat().st_dev


def _admin_password() -> Finding:
    if not config.current().admin_password:
        return _ok(N_("ADMIN_PASSWORD is not set."))
    return _found(
        CheckState.WARN,
        N_("ADMIN_PASSWORD is still set; it is needed at the first start only."),
        N_("Remove ADMIN_USERNAME and ADMIN_PASSWORD from the environment or .env.local."),
    )


def _open_to_all() -> Finding:
    values = config.current()
    if values.public_read:
        return _found(
            CheckState.WARN,
            N_("PUBLIC_READ is on: whoever reaches the port reads what is public and published."),
            N_("Set PUBLIC_READ=false unless that is meant."),
        )
    if "*" in (values.cors_origins or ()):
        return _found(
            CheckState.WARN,
            N_("CORS_ORIGINS is *: the pages of every site may call the API with a token."),
            N_("Name the origins of your front ends in CORS_ORIGINS."),
        )
    return _ok(N_("Nothing is open to everybody."))


def _rate_limit() -> Finding:
    values = config.current()
    if values.rate_limit_max_requests:
        return _ok(
            N_("%(count)d calls per %(seconds)d s."),
            count=values.rate_limit_max_requests,
            seconds=values.rate_limit_window_ms // 1000,
        )
    return _found(
        CheckState.WARN, N_("Calls are not counted: one client may take all."), N_("Remove RATE_LIMIT_MAX_REQUESTS=0.")
    )


def _log_level() -> Finding:
    level = str(config.current().log_level).upper()
    if level == "DEBUG":
        return _found(
            CheckState.WARN,
            N_("LOG_LEVEL is %(level)s: the log grows fast and names more than is needed."),
            N_("Set LOG_LEVEL=INFO."),
            level=level,
        )
    return _ok(N_("LOG_LEVEL is %(level)s."), level=level)


_CHECKS: tuple[tuple[str, str, Callable[[], Finding]], ...] = (
    ("deploy-secret-key", N_("Strength of the secret key"), _secret_key),
    ("deploy-host", N_("Who reaches the port"), _host),
    ("deploy-proxies", N_("Addresses of clients"), _proxies),
    ("deploy-allowed-hosts", N_("Names of the site"), _allowed_hosts),
    ("deploy-debug", N_("Debug mode"), _debug),
    ("deploy-files", N_("Modes of the files"), _files),
    ("deploy-backup-disk", N_("Disk of the backups"), _backup_disk),
    ("deploy-admin-password", N_("First administrator"), _admin_password),
    ("deploy-open", N_("Open to everybody"), _open_to_all),
    ("deploy-rate-limit", N_("Count of calls"), _rate_limit),
    ("deploy-log-level", N_("Amount of the log"), _log_level),
)
