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


def check_move(record: Record, status: str) -> None:
    """Raise Invalid unless `record` may move to `status`; the same status again is allowed (the note changes)."""
    if status != record.status and status not in MOVES.get(record.status, ()):
        raise Invalid(
            N_("An assistant cannot go from %(old)s to %(new)s."),
            problems=[
                Problem(
                    Message(
                        N_("From %(old)s it can go to: %(allowed)s."),
                        {"old": record.status, "allowed": ", ".join(MOVES.get(record.status, ()))},
                    ),
                    field="status",
                )
            ],
            old=record.status,
            new=status,
        )


def moved(record: Record, status: str, *, at: str, note: str | None) -> dict[str, str | None]:
    """The fields that a move sets: reviewedAt on published and rejected, publishedAt on each move to published."""
    fields: dict[str, str | None] = {"status": status, "review_note": note}
    if status != record.status:
        if status in ("published", "rejected"):
            fields["reviewed_at"] = at
        if status == "published":
            fields["published_at"] = at
    return fields
