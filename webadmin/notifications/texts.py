"""What a notification says: states, times and names of files, in the language of the site; nothing of an assistant."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from babel.support import NullTranslations, Translations

from webadmin import clock, config, strict
from webadmin.errors import N_, Message
from webadmin.notifications.events import Event
from webadmin.safety import Safety

_NAMES_SHOWN = 10
_TRANSLATIONS = Path(__file__).resolve().parent.parent / "translations"


@dataclass(frozen=True, slots=True)
class Content:
    """One notification as it is kept and sent; times are texts of contract 3.1."""

    id: str
    event: str
    state: str | None
    title: str
    line: str
    site: str
    at: str
    newest_verified_at: str | None
    backups: tuple[str, ...] = ()

    @property
    def instant(self) -> datetime:
        """When it happened."""
        return strict.to_instant(self.at) or clock.now()

    def as_json(self) -> dict[str, Any]:
        """The body of the webhook (docs/notifications.md)."""
        return {
            "id": self.id,
            "event": self.event,
            "state": self.state,
            "title": self.title,
            "line": self.line,
            "site": self.site,
            "at": self.at,
            "newestVerifiedAt": self.newest_verified_at,
            "backups": list(self.backups),
        }

    def as_text(self) -> str:
        """The text of the mail."""
        zone = config.current().timezone
        newest = strict.to_instant(self.newest_verified_at)
        good = f"{newest.astimezone(zone):%Y-%m-%d %H:%M}" if newest else "—"
        lines = [
            self.title,
            self.line,
            "",
            *self.backups,
            *([""] if self.backups else []),
            translated(Message(N_("Time: %(time)s"), {"time": f"{self.instant.astimezone(zone):%Y-%m-%d %H:%M %Z}"})),
            translated(Message(N_("Newest verified backup: %(time)s"), {"time": good})),
            translated(Message(N_("Look at the backups page of %(site)s."), {"site": self.site})),
        ]
        return "\n".join(lines) + "\n"

    def stored(self) -> str:
        """The text that `read` makes it of again."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> Content:
        """What `stored` gave."""
        fields = json.loads(text)
        return cls(**{**fields, "backups": tuple(fields["backups"])})


def of_state(event: Event, safety: Safety, newest: datetime | None, *, id: str, now: datetime) -> Content:
    """What is told of a state: its words, or that the trouble before is over."""
    title, line = safety.title, safety.line
    if event is Event.RECOVERED:
        title, line = Message(N_("The trouble is over")), safety.title
    return _content(event, title, line, id=id, now=now, state=safety.state, newest=newest)


def of_bad_backups(names: list[str], newest: datetime | None, *, id: str, now: datetime) -> Content:
    """What is told of backups that were found to be bad."""
    title = Message(N_("Damaged backup found"))
    line = Message(N_("It is not restored as a good one. Make another backup now."))
    if len(names) > 1:
        title = Message(N_("%(count)d damaged backups found"), {"count": len(names)})
        line = Message(N_("They are not restored as good ones. Make another backup now."))
    shown = tuple(names[:_NAMES_SHOWN])
    return _content(Event.BACKUP_BAD, title, line, id=id, now=now, newest=newest, backups=shown)


def of_bad_snapshots(names: list[str], newest: datetime | None, *, id: str, now: datetime) -> Content:
    """What is told of snapshots of the whole database that were altered."""
    title = Message(N_("Damaged snapshots found: %(count)d"), {"count": len(names)})
    line = Message(N_("Do not rely on them; another is taken with the next automatic backup."))
    return _content(Event.BACKUP_BAD, title, line, id=id, now=now, newest=newest, backups=tuple(names[:_NAMES_SHOWN]))


def of_proof(name: str, made_at: datetime, *, id: str, now: datetime) -> Content:
    """What stands in the log of a heartbeat; its call carries nothing."""
    title = Message(N_("Automatic backup proved"))
    line = Message("%(name)s", {"name": name})
    return _content(Event.BACKUP_PROVED, title, line, id=id, now=now, newest=made_at, backups=(name,))


def of_test(newest: datetime | None, *, id: str, now: datetime) -> Content:
    """What the button sends."""
    title = Message(N_("This is a test"))
    line = Message(N_("Notifications arrive here."))
    return _content(Event.TEST, title, line, id=id, now=now, newest=newest)


def _content(
    event: Event,
    title: Message,
    line: Message,
    *,
    id: str,
    now: datetime,
    newest: datetime | None,
    state: str | None = None,
    backups: tuple[str, ...] = (),
) -> Content:
    return Content(
        id=id,
        event=event,
        state=state,
        title=translated(title),
        line=translated(line),
        # A line end in a subject would be refused.
        site=" ".join(config.current().site_name.split()),
        at=clock.to_text(now),
        newest_verified_at=clock.to_text(newest) if newest else None,
        backups=backups,
    )


def translated(message: Message) -> str:
    """A message in the language of the site."""
    params = {name: translated(p) if isinstance(p, Message) else p for name, p in message.params.items()}
    template = _translations(config.current().site_language).gettext(message.template)
    return template % params if params else template


@cache
def _translations(language: str) -> NullTranslations:
    return Translations.load(_TRANSLATIONS, [language])
