"""How templates write times, sizes, numbers, icons and the words for states. `register(app)` adds them to Jinja."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta, tzinfo
from typing import NamedTuple

import regex
from flask import Flask, g, url_for
from flask_babel import format_datetime, format_decimal, get_locale, gettext, ngettext, pgettext
from markupsafe import Markup, escape

from webadmin import accounts, clock, config
from webadmin.errors import N_, Message

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA_OR_HANGUL = re.compile("[\u3040-\u30ff\uac00-\ud7af\u1100-\u11ff]")
_GRAPHEME = regex.compile(r"\X")
_LANGUAGE_SAMPLE = 400
_EXACT_COUNT_UP_TO = 50_000


class Word(NamedTuple):
    """A state as people see it: always word, icon and colour together."""

    text: str
    icon: str
    tone: str


class Purpose(NamedTuple):
    """What a token is made for, and what that covers in short (docs/people.md)."""

    text: str
    covers: str


STATUSES = {
    "draft": Word(N_("Draft"), "pencil", "mute"),
    "pending": Word(N_("Pending review"), "clock", "warn"),
    "published": Word(N_("Published"), "circle-check", "ok"),
    "rejected": Word(N_("Rejected"), "circle-x", "bad"),
}
ROLES = {
    "viewer": N_("Viewer"),
    "editor": N_("Editor"),
    "reviewer": N_("Reviewer"),
    "admin": N_("Administrator"),
}
PURPOSES = {
    "read": Purpose(
        N_("Reading"), N_("Assistants, backups, whether the data is safe; exports where the role allows them.")
    ),
    "write": Purpose(N_("Writing"), N_("Create, change, delete, submit, publish.")),
    "backup": Purpose(N_("Backups"), N_("Back up, export, import, restore; what reading covers.")),
}
BACKUP_KINDS = {
    "scheduled": Word(N_("Automatic"), "clock", "mute"),
    "manual": Word(N_("Manual"), "hand-click", "mute"),
    "safety": Word(N_("Safety"), "shield", "mute"),
    "uploaded": Word(N_("Uploaded"), "upload", "mute"),
    # A file that somebody put into the folder.
    "found": Word(N_("Uploaded"), "upload", "mute"),
}
BACKUP_STATES = {
    "verified": Word(N_("Verified"), "shield-check", "ok"),
    "unchecked": Word(N_("Not checked"), "shield-question", "mute"),
    "checking": Word(N_("Checking"), "loader-2", "info"),
    "failed": Word(N_("Failed"), "alert-circle", "bad"),
    "missing": Word(N_("Missing"), "file-x", "bad"),
    "altered": Word(N_("Altered"), "alert-triangle", "bad"),
}


def register(app: Flask) -> None:
    """Add the filters and globals of this module to the application's templates."""
    env = app.jinja_env
    env.filters.update(
        time=time_element,
        exact=exact,
        day=day_name,
        moment=moment,
        until=until,
        duration=duration,
        size=size,
        number=number,
        highlight=highlight,
        text_attrs=text_attrs,
        graphemes=count_graphemes,
        message=message,
        actor_name=actor_name,
        sentences=sentences,
    )
    env.globals.update(
        icon=icon,
        STATUSES=STATUSES,
        ROLES=ROLES,
        PURPOSES=PURPOSES,
        BACKUP_KINDS=BACKUP_KINDS,
        BACKUP_STATES=BACKUP_STATES,
        asset=asset,
    )


# --- time -----------------------------------------------------------------------------------------------------------


def time_element(value: datetime | str | None, style: str = "ago") -> Markup:
    """`<time>` in the site's zone, with the exact time as its tooltip.

    Styles: `ago` "12 min ago", `short` "12 min" (both: relative under 24 h, then the day), `clock` "Today 02:00",
    `until` "in 16 h 46 min". Stored text that is no time is shown as it is.
    """
    if value is None or value == "":
        return Markup("—")
    instant = _instant(value)
    if instant is None:
        return Markup("<span>{}</span>").format(value)
    words = _STYLES[style](instant)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), exact(instant), words
    )


def exact(value: datetime | str) -> str:
    """Date and time to the second, with the zone: "22 Nov 2026 09:14:02 UTC+08:00"."""
    instant = _instant(value)
    if instant is None:
        return str(value)
    local = instant.astimezone(_zone())
    offset = local.strftime("%z")
    return f"{_day(local, with_year=True)} {local:%H:%M:%S} UTC{offset[:3]}:{offset[3:]}"


def moment(value: datetime, *, with_weekday: bool = False) -> str:
    """Day and time without the zone, for places that hold text alone: "22 Nov 02:00", "Mon 23 Nov 02:00"."""
    pattern = gettext("EEE d MMM HH:mm") if with_weekday else gettext("d MMM y HH:mm")
    return str(format_datetime(value, pattern))


def until(value: datetime) -> str:
    """How long from now: "in 46 min", "in 16 h 46 min", "in 3 days"."""
    seconds = (value - clock.now()).total_seconds()
    if seconds < 60:
        return gettext("now")
    if seconds >= 36 * 3600:
        days = round(seconds / 86400)
        return ngettext("in %(num)d day", "in %(num)d days", days)
    return gettext("in %(duration)s", duration=duration(seconds))


def duration(seconds: float) -> str:
    """A span in words: "1.8 s", "45 s", "12 min", "7 h 14 min", "3 days"."""
    if seconds < 10:
        return gettext("%(n)s s", n=format_decimal(round(seconds, 1)))
    if seconds < 60:
        return gettext("%(n)s s", n=int(seconds))
    minutes = int(seconds // 60)
    if minutes < 60:
        return gettext("%(n)s min", n=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return ngettext("%(num)d day", "%(num)d days", hours // 24)
    if minutes == 0:
        return gettext("%(hours)s h", hours=hours)
    return gettext("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)


def _ago(instant: datetime) -> str:
    seconds = (clock.now() - instant).total_seconds()
    if seconds < 0 or seconds >= 86400:
        return _past_day(instant, with_time=True)
    if seconds < 60:
        return gettext("just now")
    if seconds < 3600:
        return gettext("%(n)s min ago", n=int(seconds // 60))
    return gettext("%(n)s h ago", n=int(seconds // 3600))


def _short(instant: datetime) -> str:
    seconds = (clock.now() - instant).total_seconds()
    if seconds < 0 or seconds >= 86400:
        return _past_day(instant, with_time=False)
    if seconds < 60:
        return gettext("just now")
    if seconds < 3600:
        return pgettext("age", "%(n)s min", n=int(seconds // 60))
    return pgettext("age", "%(n)s h", n=int(seconds // 3600))


def _clock(instant: datetime) -> str:
    local = instant.astimezone(_zone())
    today = clock.now().astimezone(_zone()).date()
    at = f"{local:%H:%M}"
    if local.date() == today:
        return gettext("Today %(time)s", time=at)
    if local.date() == today + timedelta(days=1):
        return gettext("Tomorrow %(time)s", time=at)
    if local.date() == today - timedelta(days=1):
        return gettext("Yesterday %(time)s", time=at)
    return f"{_day(local, with_year=local.year != today.year)} {at}"


def _past_day(instant: datetime, *, with_time: bool) -> str:
    local = instant.astimezone(_zone())
    today = clock.now().astimezone(_zone()).date()
    if local.date() == today - timedelta(days=1):
        return gettext("Yesterday %(time)s", time=f"{local:%H:%M}") if with_time else gettext("Yesterday")
    return _day(local, with_year=local.year != today.year)


_STYLES: dict[str, Callable[[datetime], str]] = {"ago": _ago, "short": _short, "clock": _clock, "until": until}


def day_name(day: date) -> str:
    """A day of the calendar: "22 Nov", with the year when it is not this one."""
    today = clock.now().astimezone(_zone()).date()
    return _day(day, with_year=day.year != today.year)


def _day(day: date, *, with_year: bool) -> str:
    months = [
        gettext("Jan"), gettext("Feb"), gettext("Mar"), gettext("Apr"), gettext("May"), gettext("Jun"),
        gettext("Jul"), gettext("Aug"), gettext("Sep"), gettext("Oct"), gettext("Nov"), gettext("Dec"),
    ]  # fmt: skip
    parts = {"day": day.day, "month": months[day.month - 1], "month_number": day.month, "year": day.year}
    return gettext("%(day)s %(month)s %(year)s", **parts) if with_year else gettext("%(day)s %(month)s", **parts)


def _instant(value: datetime | str) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    # At both ends of the calendar another zone, or the day before, would be outside it.
    if value.year in (MINYEAR, MAXYEAR):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _zone() -> tzinfo:
    zone: tzinfo = config.current().timezone
    return zone


# --- numbers --------------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    """Digits grouped as the language does: "1,284"."""
    return str(format_decimal(value))


def size(size_bytes: int) -> str:
    """Bytes in powers of 1000: "410 B", "2.7 MB", "38.2 GB"."""
    value, unit, larger = float(size_bytes), "B", ["TB", "GB", "MB", "kB"]
    while value >= 999.5 and larger:
        value, unit = value / 1000, larger.pop()
    return f"{format_decimal(round(value, 1 if value < 100 else 0))} {unit}"


def count_graphemes(text: str) -> int:
    """Characters as people count them. A very long text is counted by code points: the exact walk takes too long."""
    if len(text) > _EXACT_COUNT_UP_TO or text.isascii():
        return len(text)
    return sum(1 for _ in _GRAPHEME.finditer(text))


# --- text -----------------------------------------------------------------------------------------------------------


def message(value: Message | str) -> str:
    """A domain message in the reader's language, with the messages that it carries."""
    if isinstance(value, Message):
        params = {name: message(given) if isinstance(given, Message) else given for name, given in value.params.items()}
        return gettext(value.template, **params)
    return gettext(value) if value else ""


def actor_name(name: str) -> str:
    """Who did it: the names of people and tokens as they are, the program's own parts in the reader's language."""
    return gettext(name) if name in accounts.BUILT_IN_NAMES else name


def sentences(parts: Iterable[str | None]) -> str:
    """Sentences one after the other; in Chinese no space stands between them."""
    said = [part for part in parts if part]
    space = "" if str(get_locale() or "en").startswith("zh") else " "
    return (escape(space) if any(isinstance(part, Markup) for part in said) else space).join(said)


def highlight(text: str, needle: str | None) -> Markup:
    """The text, escaped, with each occurrence of `needle` (case ignored) inside `<mark>`."""
    if not needle:
        return escape(text)
    result, end = Markup(), 0
    for match in re.finditer(re.escape(needle), text, re.IGNORECASE):
        result += escape(text[end : match.start()]) + Markup("<mark>{}</mark>").format(match[0])
        end = match.end()
    return result + escape(text[end:])


def text_attrs(text: str) -> Markup:
    """Attributes for an element that holds people's text: its direction, and its language if not the page's."""
    sample = text[:_LANGUAGE_SAMPLE]
    is_chinese = bool(_HAN.search(sample)) and not _KANA_OR_HANGUL.search(sample)
    page_is_chinese = str(get_locale() or "en").startswith("zh")
    if is_chinese and not page_is_chinese:
        return Markup('dir="auto" lang="zh"')
    return Markup('dir="auto"')


def icon(name: str, css_class: str = "") -> Markup:
    """An icon of the sprite; decoration only, so a word always stands beside it."""
    classes = f"i {css_class}" if css_class else "i"
    return Markup('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>').format(
        classes, asset("icons.svg"), name
    )


def asset(filename: str) -> str:
    """Address of a static file; remembered for the request, since a list asks for its icons some hundred times."""
    known: dict[str, str] = g.setdefault("assets", {})
    if filename not in known:
        known[filename] = url_for("static", filename=filename)
    return known[filename]
