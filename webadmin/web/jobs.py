"""The page of a long task: how far it is, how it ended, and the way to stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from webadmin import clock, jobs, operations, security
from webadmin.errors import N_
from webadmin.jobs import Job, State
from webadmin.safety import MANUAL_BACKUP
from webadmin.web import imports, recoveries
from webadmin.web.filters import BACKUP_STATES, duration, message, number, size
from webadmin.web.htmx import ToastKind, page, redirect

bp = Blueprint("jobs", __name__, url_prefix="/jobs")

VERIFY, COMPARE, IMPORT = "verify", "compare", imports.KIND
_PHASES = {
    "reading": N_("reading the file"),
    "comparing": N_("comparing with the catalogue"),
    "writing": N_("writing records"),
    "verifying": N_("reading back and verifying"),
    "importing": N_("writing the changes"),
    "copying-damaged": N_("copying the damaged file"),
    "building": N_("building from the copy"),
    "rescuing": N_("reading the damaged file"),
    "proving": N_("checking the new database"),
}
_IMPORT_PHASES = _PHASES | {
    "writing": N_("making the safety backup"),
    "verifying": N_("verifying the safety backup"),
}
_QUICK_SECONDS, _SLOW_SECONDS, _SLOW_AFTER_SECONDS = 1, 5, 60
_ENDS: dict[State, ToastKind] = {State.CANCELLED: "warn", State.STOPPED: "bad"}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a task ended, in words; `href` leads to what it made."""

    tone: ToastKind
    text: str
    hint: str | None = None
    href: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A task as pages show it. `poll_seconds` is None when there is nothing to wait for any more."""

    id: str
    title: str
    line: str
    left: str
    done: int
    total: int | None
    poll_seconds: int | None
    is_cancelling: bool
    ending: Ending | None


@bp.get("/<id>")
def show(id: str) -> ResponseReturnValue:
    """One task: its progress while it runs, then its end."""
    return page("jobs/show.html", "jobs/_job.html", job=view(jobs.get(id)))


@bp.post("/<id>/cancel")
def cancel(id: str) -> ResponseReturnValue:
    """Ask a task to stop; what it changed is rolled back."""
    operations.cancel(security.current_actor(), id)
    return redirect(security.safe_next(request.form.get("next")) if "next" in request.form else url_for(".show", id=id))


def view(job: Job) -> View:
    """What a page shows of a task."""
    age = _seconds_since(job.created_at)
    is_waited_for = job.state is State.RUNNING
    return View(
        id=job.id,
        title=message(job.title),
        line=_line(job),
        left=_left(job),
        done=job.done,
        total=job.total,
        poll_seconds=(_QUICK_SECONDS if age < _SLOW_AFTER_SECONDS else _SLOW_SECONDS) if is_waited_for else None,
        is_cancelling=job.is_cancel_requested,
        ending=None if is_waited_for else ending(job),
    )


def ending(job: Job) -> Ending:
    """How a task that does not run any more ended; for one that waits, where to decide."""
    if job.state in _ENDS:
        return Ending(_ENDS[job.state], message(jobs.end_in_words(job)))
    if job.state is State.WAITING:
        return Ending("info", gettext("It waits for your decision."), href=_page_of(job), label=gettext("Go on"))
    if job.state is State.FAILED:
        return _failed(job)
    return _done(job)


def _failed(job: Job) -> Ending:
    failure = job.failure
    if failure is None:
        return Ending("bad", gettext("It failed."))
    return Ending("bad", message(failure.message), message(failure.hint) if failure.hint else None)


def _done(job: Job) -> Ending:
    told = _ENDINGS.get(job.kind)
    return told(job, job.result or {}) if told is not None else Ending("ok", gettext("Done."))


def _backed_up(_job: Job, result: dict[str, Any]) -> Ending:
    text = ngettext(
        "Backup made and verified: %(count)s record, %(size)s.",
        "Backup made and verified: %(count)s records, %(size)s.",
        result["recordCount"],
        count=number(result["recordCount"]),
        size=size(result["fileSize"]),
    )
    href = url_for("backups.show", name=result["filename"])
    return Ending("ok", text, href=href, label=gettext("Show the backup"))


def _verified(_job: Job, result: dict[str, Any]) -> Ending:
    state = BACKUP_STATES[result["state"]]
    text = gettext("%(name)s: %(state)s.", name=result["name"], state=gettext(state.text))
    href = url_for("backups.show", name=result["name"])
    return Ending("bad" if state.tone == "bad" else "ok", text, href=href, label=gettext("Show the backup"))


def _compared(_job: Job, result: dict[str, Any]) -> Ending:
    href = url_for("comparisons.show", **{name: value for name, value in result.items() if value})
    return Ending("ok", gettext("Compared."), href=href, label=gettext("Show what differs"))


def _imported(job: Job, _result: dict[str, Any]) -> Ending:
    return Ending("ok", gettext("The import is done."), href=_page_of(job), label=gettext("Show the result"))


def _prepared(_job: Job, _result: dict[str, Any]) -> Ending:
    return Ending("ok", gettext("The recovery is prepared."), href=url_for("recovery.show"), label=gettext("Go on"))


def _recovered(_job: Job, result: dict[str, Any]) -> Ending:
    """What a recovery put in place; of one that was killed at its very end only the copy is known."""
    text = gettext("Recovered from %(name)s.", name=result["source"])
    if "recovered" in result:
        text = gettext(
            "Recovered from %(name)s: %(count)s assistants; later edits brought back: %(taken)s.",
            name=result["source"],
            count=number(result["recovered"]),
            taken=number(result["taken"]),
        )
    hint = (
        gettext("The damaged file lies in %(folder)s.", folder=result["setAside"]) if result.get("setAside") else None
    )
    return Ending("ok", text, hint, url_for("health.show"), gettext("Look at the checks"))


def _all_verified(_job: Job, counts: dict[str, int]) -> Ending:
    """How many files are in which state; one that cannot be relied on decides the colour."""
    known = [(word, counts[state]) for state, word in BACKUP_STATES.items() if state in counts]
    told = [gettext("%(state)s: %(count)s", state=gettext(word.text), count=number(count)) for word, count in known]
    is_bad = any(word.tone == "bad" for word, _ in known)
    text = gettext(", ").join(told) or gettext("No backups yet.")
    return Ending("bad" if is_bad else "ok", text, href=url_for("backups.history"), label=gettext("Show the backups"))


_ENDINGS: dict[str, Callable[[Job, dict[str, Any]], Ending]] = {
    MANUAL_BACKUP: _backed_up,
    VERIFY: _verified,
    jobs.VERIFY_ALL: _all_verified,
    COMPARE: _compared,
    IMPORT: _imported,
    recoveries.BUILD: _prepared,
    recoveries.APPLY: _recovered,
}
"""How each kind of task that ended well is told; one that is not here is just done."""


def _page_of(job: Job) -> str:
    return url_for("restore.show", id=job.id) if job.kind == IMPORT else url_for("jobs.show", id=job.id)


def _line(job: Job) -> str:
    phases = _IMPORT_PHASES if job.kind == IMPORT else _PHASES
    phase = gettext(phases.get(job.phase or "", N_("starting")))
    if not job.total:
        return phase
    return gettext("%(phase)s · %(done)s / %(total)s", phase=phase, done=number(job.done), total=number(job.total))


def _left(job: Job) -> str:
    """The time left in this phase, at its pace so far; nothing while that is only a guess."""
    age = _seconds_since(job.phase_at) if job.phase_at else 0
    if not job.total or not 0 < job.done < job.total or age < 1:
        return ""
    return gettext("about %(time)s left", time=duration(max(1, round(age * (job.total - job.done) / job.done))))


def _seconds_since(text: str) -> float:
    return (clock.now() - datetime.fromisoformat(text)).total_seconds()
