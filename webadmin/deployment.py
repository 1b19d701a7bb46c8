"""The checks of `flask doctor --deploy`: do the settings fit a machine that others can reach?

Each looks at one setting or file and names its remedy; what is a choice (public reading, one disk) is amber, never red.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from webadmin import accounts, clock, config, db, hosts, keyfile
from webadmin.accounts import ListedToken, Role
from webadmin.config import PROJECT
from webadmin.diagnostics import Check, CheckState, Finding, run_each
from webadmin.errors import N_, Message

_KEY_LEAST = 32
_KEY_LEAST_DIFFERENT = 10
# More than a company's own network can be no list of proxies.
_PROXY_BITS = {4: 8, 6: 32}
_ENDING, _UNUSED = timedelta(days=14), timedelta(days=90)
_IDLE_HOURS, _SESSION_DAYS = 24, 90
_NAMED = 10
_OFF = frozenset({"", "0", "false", "no"})


def run_checks() -> list[Check]:
    """Run them inside an application context."""
    return run_each(_CHECKS)


def _ok(fact: str, **params: object) -> Finding:
    return Finding(CheckState.OK, Message(fact, params))


def _found(state: CheckState, fact: str, step: str, **params: object) -> Finding:
    return Finding(state, Message(fact, params), Message(step, params))


def _secret_key() -> Finding:
    values = config.current()
    key = values.secret_key or keyfile.read(values.database_path.with_name("secret-key"))
    if key and (len(key) < _KEY_LEAST or len(set(key)) < _KEY_LEAST_DIFFERENT):
        return _found(
            CheckState.BAD,
            N_("The secret key has %(length)d characters, %(different)d different ones: forms can be forged."),
            N_("Set %(least)d random characters, or leave it out: then one is made and kept beside the database."),
            length=len(key),
            different=len(set(key)),
            least=_KEY_LEAST,
        )
    return _ok(N_("It is long enough."))


def _old_keys() -> Finding:
    values = config.current()
    if not values.secret_key_old:
        return _ok(N_("None is accepted any more."))
    return _found(
        CheckState.WARN,
        N_("SECRET_KEY_OLD still has %(count)d keys of before."),
        N_("Remove it %(days)d days after the change, at once if somebody else may know one."),
        count=len(values.secret_key_old),
        days=values.session_max_days,
    )


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
    wide = [each for each in values.trusted_proxies or () if each.prefixlen < _PROXY_BITS[each.version]]
    if wide:
        return _found(
            CheckState.BAD,
            N_(
                "TRUSTED_PROXIES has %(network)s: whoever is in there may forge addresses, and dodge what counts tries."
            ),
            N_("Name the proxies alone."),
            network=str(wide[0]),
        )
    if values.trusted_proxies or not hosts.is_loopback(values.host):
        return _ok(N_("The addresses of clients are known."))
    return _found(
        CheckState.WARN,
        N_("Behind a proxy everybody would have its address: one who guesses passwords would slow down all."),
        N_("Set TRUSTED_PROXIES to the address of the proxy, and let it send X-Forwarded-For and X-Forwarded-Proto."),
    )


def _cookies() -> Finding:
    if config.current().trusted_proxies:
        return _ok(N_("Over TLS, of which the proxy tells, they are “Secure”."))
    return _found(
        CheckState.WARN,
        N_("Nobody is believed to speak TLS before the program: cookies go without “Secure”, and no HSTS is sent."),
        N_("Put a proxy with TLS before it, and set TRUSTED_PROXIES to its address."),
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
    values = config.current()
    folders = (values.database_path.parent, values.database_backup_dir, values.log_dir)
    # What is told of the folders themselves is a check of its own; README.md comes with the program.
    ours = (path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != "README.md")
    readable = {path for path in (PROJECT / ".env.local", *ours) if _is_open_to_others(path)}
    if not readable:
        return _ok(N_("Database, keys, backups, logs and settings are closed to other accounts."))
    return _found(
        CheckState.BAD,
        N_("Files that other accounts of this machine can read: %(count)d, such as %(path)s."),
        N_("Run: chmod 600 %(path)s"),
        count=len(readable),
        path=str(min(readable)),
    )


def _is_open_to_others(path: Path) -> bool:
    try:
        return not path.is_symlink() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
    except FileNotFoundError:
        return False


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


def _second_factor() -> Finding:
    if Role.ADMIN in (config.current().second_factor_required or ()):
        return _ok(N_("Administrators need one."))
    with db.translated_errors():
        people = accounts.list_users(db.db.session())
    without = [
        user.name
        for user in people
        if user.role == Role.ADMIN and user.totp_secret is None and user.deactivated_at is None
    ]
    if not without:
        return _ok(N_("Each administrator has one."))
    return _found(
        CheckState.WARN,
        N_("Administrators who sign in with a password alone: %(names)s."),
        N_("Set SECOND_FACTOR_REQUIRED=admin: they set one up at their next sign-in."),
        names=_some(without),
    )


def _tokens(is_meant: Callable[[ListedToken], bool]) -> str:
    with db.translated_errors():
        return _some([each.token.name for each in accounts.list_tokens(db.db.session()) if is_meant(each)])


def _endless_tokens() -> Finding:
    names = _tokens(lambda each: each.token.expires_at is None)
    if not names:
        return _ok(N_("Each has one."))
    return _found(
        CheckState.WARN,
        N_("Tokens without an end: %(names)s."),
        N_("Give them one: flask token rotate NAME --expires-days 90"),
        names=names,
    )


def _ending_tokens() -> Finding:
    soon = clock.to_text(clock.now() + _ENDING)
    names = _tokens(lambda each: each.token.expires_at is not None and each.token.expires_at < soon)
    if not names:
        return _ok(N_("None ends within %(days)d days."), days=_ENDING.days)
    return _found(
        CheckState.WARN,
        N_("Tokens that have ended or end within %(days)d days: %(names)s."),
        N_("For a program that goes on: flask token rotate NAME. Else: flask token revoke NAME"),
        names=names,
        days=_ENDING.days,
    )


def _unused_tokens() -> Finding:
    since = clock.to_text(clock.now() - _UNUSED)

    def is_unused(each: ListedToken) -> bool:
        used_at = each.last_use.at if each.last_use else each.token.created_at
        return max(used_at, each.token.rotated_at or "") < since

    names = _tokens(is_unused)
    if not names:
        return _ok(N_("Each was used within %(days)d days, or is new."), days=_UNUSED.days)
    return _found(
        CheckState.WARN,
        N_("Tokens that were not used for %(days)d days: %(names)s."),
        N_("End those that no program needs: flask token revoke NAME"),
        names=names,
        days=_UNUSED.days,
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


def _sessions() -> Finding:
    values = config.current()
    if values.session_idle_hours <= _IDLE_HOURS and values.session_max_days <= _SESSION_DAYS:
        return _ok(N_("They end after %(hours)d idle hours."), hours=values.session_idle_hours)
    return _found(
        CheckState.WARN,
        N_("A browser that somebody left stays signed in for %(hours)d idle hours, and up to %(days)d days."),
        N_("Set SESSION_IDLE_HOURS to %(hours_most)d or less, SESSION_MAX_DAYS to %(days_most)d or less."),
        hours=values.session_idle_hours,
        days=values.session_max_days,
        hours_most=_IDLE_HOURS,
        days_most=_SESSION_DAYS,
    )


def _notifications() -> Finding:
    values = config.current()
    if values.notify_allow_private:
        return _found(
            CheckState.WARN,
            N_("NOTIFY_ALLOW_PRIVATE is on: an administrator can have this machine call its own network."),
            N_("Set NOTIFY_ALLOW_PRIVATE=false unless the receiver is there."),
        )
    if values.smtp_host and values.smtp_tls == "none":
        return _found(
            CheckState.WARN,
            N_("SMTP_TLS is none: mail and its password go in the clear."),
            N_("Set SMTP_TLS=starttls or SMTP_TLS=tls."),
        )
    return _ok(N_("They go to public addresses, mail by TLS."))


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
    ("deploy-secret-key-old", N_("Secret keys of before"), _old_keys),
    ("deploy-host", N_("Who reaches the port"), _host),
    ("deploy-proxies", N_("Addresses of clients"), _proxies),
    ("deploy-cookies", N_("Cookies and HSTS"), _cookies),
    ("deploy-allowed-hosts", N_("Names of the site"), _allowed_hosts),
    ("deploy-debug", N_("Debug mode"), _debug),
    ("deploy-files", N_("Modes of the files"), _files),
    ("deploy-backup-disk", N_("Disk of the backups"), _backup_disk),
    ("deploy-admin-password", N_("First administrator"), _admin_password),
    ("deploy-second-factor", N_("Second factor of administrators"), _second_factor),
    ("deploy-sessions", N_("Length of sessions"), _sessions),
    ("deploy-token-end", N_("Ends of tokens"), _endless_tokens),
    ("deploy-token-ending", N_("Tokens that end soon"), _ending_tokens),
    ("deploy-token-unused", N_("Tokens that nobody uses"), _unused_tokens),
    ("deploy-notifications", N_("Where notifications go"), _notifications),
    ("deploy-open", N_("Open to everybody"), _open_to_all),
    ("deploy-rate-limit", N_("Count of calls"), _rate_limit),
    ("deploy-log-level", N_("Amount of the log"), _log_level),
)
