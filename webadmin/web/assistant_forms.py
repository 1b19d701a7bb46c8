"""The editor's form: what was typed, and what it stands for beside what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from webadmin.catalogue import Record
from webadmin.errors import N_
from webadmin.web import texts

FIELDS = ("title", "emoji", "desc", "prompt", "tags", "is_public")
LABELS = {
    "title": N_("Title"),
    "emoji": N_("Emoji"),
    "desc": N_("Description"),
    "prompt": N_("System prompt"),
    "tags": N_("Tags"),
    "is_public": N_("Public"),
    "status": N_("Status"),
    "author": N_("Author"),
    "review_note": N_("Review note"),
    "category": N_("Category"),
    "usage_count": N_("Use count"),
    "rating": N_("Rating"),
}


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields of the editor as a browser shows and sends them."""

    title: str = ""
    emoji: str = Record(id=None, title="").emoji
    desc: str = ""
    prompt: str = ""
    tags: str = ""
    is_public: bool = False

    @classmethod
    def from_record(cls, record: Record) -> Typed:
        """The fields as the editor first shows them."""
        return cls(
            title=record.title,
            emoji=record.emoji,
            desc=record.desc,
            prompt=record.prompt,
            tags=texts.join_tags(_tags(record)),
            is_public=record.is_public,
        )

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Typed:
        """The fields as a form sent them; one that is missing is empty."""
        sent: dict[str, Any] = {name: form.get(name, "") for name in FIELDS}
        return cls(**sent | {"is_public": bool(sent["is_public"])})

    def fields(self, stored: Record | None = None) -> dict[str, Any]:
        """What the fields stand for where `stored` was shown; nobody's change leaves its bytes as they are."""
        old = stored or Record(id=None, title="", emoji="")
        # The description is one line until somebody stores more, then the editor shows more.
        desc = texts.multi_line if texts.has_lines(old.desc) else texts.single_line
        return {
            "title": texts.single_line(self.title, old.title),
            "emoji": texts.single_line(self.emoji, old.emoji),
            "desc": desc(self.desc, old.desc),
            "prompt": texts.multi_line(self.prompt, old.prompt),
            "tags": self._tags(old),
            "is_public": self.is_public,
        }

    def as_form(self) -> dict[str, str]:
        """The names and values that a form sends for these fields."""
        values = {name: value for name, value in asdict(self).items() if name != "is_public"}
        return values | ({"is_public": "1"} if self.is_public else {})

    def _tags(self, old: Record) -> list[str] | str:
        # A column that holds no list is shown as no tags, and stays as it is until somebody types some.
        if isinstance(old.tags, str) and not self.tags.strip():
            return old.tags
        return texts.returned_tags(self.tags, _tags(old))


def _tags(record: Record) -> list[str]:
    return record.tags if isinstance(record.tags, list) else []
