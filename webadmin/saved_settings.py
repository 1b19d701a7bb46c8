"""The settings that are chosen on the settings page: kept in the database, in force in every process within seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from webadmin import audit, clock, db, observability
from webadmin.accounts import Actor, Permission, require
from webadmin.config import SETTINGS, Config, ConfigError
from webadmin.errors import N_, Conflict, Invalid, Message, Problem, Unavailable

ACCEPTED = N_("Accepted is %(accepted)s.")
"""What is said of a value that its setting does not take; the parsers' words are English."""

_LOOK_EVERY_SECONDS = 2.0
_log = logging.getLogger(__name__)


class SavedSetting(db.Base):
    """A value as one would write it in `.env.local`, and who chose it when."""

    __tablename__ = "aa_setting"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
    changed_at: Mapped[str]
    changed_by: Mapped[str]


class SettingLocked(Conflict):
    """Environment or file fix this value, so that one chosen here would do nothing."""


def list_saved(session: Session) -> dict[str, SavedSetting]:
    """The saved values by variable."""
    return {row.name: row for row in session.scalars(select(SavedSetting))}


def check(values: Mapping[str, str], current: Config) -> Config:
    """The settings as they would be with these values, by variable; an empty text takes the default again.

    Raises Invalid, naming every variable that cannot have its value, SettingLocked for one that is fixed elsewhere.
    """
    savable = {setting.name: setting for setting in SETTINGS if setting.is_savable}
    problems, texts = [], {}
    for name, text in values.items():
        if name not in savable:
            raise Invalid(N_("“%(name)s” cannot be set here."), name=name)
        if current.is_locked(name):
            raise SettingLocked(N_("%(name)s is set by: %(where)s."), name=name, where=current.source(name))
        setting = savable[name]
        texts[name] = _cleaned(name, text) or setting.default or ""
        try:
            if texts[name]:
                setting.parser.parse(texts[name])
        except ValueError:
            said = Message(ACCEPTED, {"accepted": setting.parser.accepts})
            problems.append(Problem(said, field=name))
    if problems:
        raise Invalid(N_("Some fields need another look. Nothing was saved."), problems=problems)
    return current.with_saved(texts)


def save(session: Session, actor: Actor, values: Mapping[str, str], *, current: Config) -> None:
    """Save values by variable, as `check` takes them; one that is as it was keeps who set it. Raises what it raises."""
    require(actor, Permission.ADMINISTER)
    check(values, current)
    known = list_saved(session)
    changed: dict[str, dict[str, str] | str] = {}
    for name, text in values.items():
        if not text.strip():
            session.execute(delete(SavedSetting).where(SavedSetting.name == name))
            if name in known:
                changed[name] = _told(name, known[name].value, "")
        elif name not in known or known[name].value != _cleaned(name, text):
            value = _cleaned(name, text)
            changed[name] = _told(name, known[name].value if name in known else "", value)
            session.merge(SavedSetting(name=name, value=value, changed_at=clock.now_text(), changed_by=actor.name))

    if changed:
        audit.record(session, actor, audit.Act.SETTINGS_CHANGED, settings=changed)


def _told(name: str, was: str, now: str) -> dict[str, str] | str:
    """A change as the activity log has it; of a secret only that there was one."""
    return "secret" if name in _SECRET else {"from": was, "to": now}


_SECRET = frozenset(setting.name for setting in SETTINGS if setting.secret)


def _cleaned(name: str, text: str) -> str:
    """Without the spaces around it, which may be part of a secret alone."""
    return text if name in _SECRET and text.strip() else text.strip()


class Follower:
    """The settings in force in one process: those of its start, and over them what is saved, at most 2 s old."""

    def __init__(self, start: Config) -> None:
        self.current = start
        self._start = start
        self._saved: dict[str, str] = {}
        self._looked_at = float("-inf")

    def refresh(self, *, at_once: bool = False) -> None:
        """Look whether other values were saved. Never fails: with an unreadable database the last ones stay."""
        if not at_once and time.monotonic() - self._looked_at < _LOOK_EVERY_SECONDS:
            return
        self._looked_at = time.monotonic()
        try:
            with db.reading() as connection:
                rows = connection.execute(select(SavedSetting.name, SavedSetting.value))
                saved = {row.name: row.value for row in rows}
        except (Unavailable, SQLAlchemyError):  # Locked, broken, or of a schema that has no such table.
            return
        if saved == self._saved:
            return
        for name in _SECRET & saved.keys():
            observability.hide(saved[name])
        try:
            self.current = self._start.with_saved(saved)
        except ConfigError as error:
            # Another version of the program may have saved what this one does not take.
            _log.warning("a saved setting cannot be used: %s", error)
        self._saved = saved
