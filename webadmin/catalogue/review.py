"""The status moves of an assistant (contract 5, PATCH status), as a table."""

from __future__ import annotations

from webadmin.catalogue.records import Record
from webadmin.errors import N_, Invalid, Message, Problem

MOVES: dict[str, tuple[str, ...]] = {
    "draft": ("pending", "published"),
    "pending": ("published", "rejected", "draft"),
    "published": ("draft",),
    "rejected": ("pending", "draft"),
}


# As the API calls them; in Chinese as the pages do.
_WORDS = {
    "draft": Message(N_("draft")),
    "pending": Message(N_("pending")),
    "published": Message(N_("published")),
    "rejected": Message(N_("rejected")),
}
_LISTS = (
    N_("From %(old)s it can go to: %(first)s."),
    N_("From %(old)s it can go to: %(first)s, %(second)s."),
    N_("From %(old)s it can go to: %(first)s, %(second)s, %(third)s."),
)


def check_move(record: Record, status: str) -> None:
    """Raise Invalid unless `record` may move to `status`; the same status again is allowed (the note changes)."""
    # Another program may have stored none of the four: from there the only way is back to the beginning.
    allowed = MOVES.get(record.status, ("draft",))
    if status == record.status or status in allowed:
        return
    old, new = _WORDS.get(record.status, record.status), _WORDS.get(status, status)
    problems = []
    if allowed:
        words = zip(("first", "second", "third"), (_WORDS[each] for each in allowed), strict=False)
        said = Message(_LISTS[len(allowed) - 1], {"old": old, **dict(words)})
        problems.append(Problem(said, field="status"))
    raise Invalid(N_("An assistant cannot go from %(old)s to %(new)s."), problems=problems, old=old, new=new)


def moved(record: Record, status: str, *, at: str, note: str | None) -> dict[str, str | None]:
    """The fields that a move sets: reviewedAt on published and rejected, publishedAt on each move to published."""
    fields: dict[str, str | None] = {"status": status, "review_note": note}
    if status != record.status:
        if status in ("published", "rejected"):
            fields["reviewed_at"] = at
        if status == "published":
            fields["published_at"] = at
    return fields
