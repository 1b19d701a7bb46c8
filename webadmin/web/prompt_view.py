"""The system prompt beside its field: how it reads, what was changed in it, which variables it asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from markupsafe import Markup

from webadmin.catalogue import Record
from webadmin.web import field_diffs
from webadmin.web.differences import Line

# A name in braces, as `{name}` or `{{name}}`: JSON and code in a prompt hold other things between braces.
_VARIABLE = re.compile(r"\{\s*([^\W\d][\w.-]{0,63})\s*\}")
_NAMED = 12
SHOWN = ("write", "preview", "changes")


@dataclass(frozen=True, slots=True)
class PromptView:
    """What the editor shows of a prompt: `shown` is one of SHOWN; `changes` is None where nothing is saved yet."""

    text: str
    shown: str = SHOWN[0]
    changes: list[Line] | None = None
    saved_version: int | None = None
    variables: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, saved: Record | None, shown: str | None = None) -> PromptView:
        """The typed `text` compared with the version that it was begun from."""
        return cls(
            text=text,
            shown=shown if shown in SHOWN else SHOWN[0],
            changes=field_diffs.lines(saved.prompt, text) if saved else None,
            saved_version=saved.version if saved else None,
            variables=list(dict.fromkeys(_VARIABLE.findall(text))),
        )

    @property
    def names(self) -> Markup:
        """The first variables as they stand in the text, and how many more there are."""
        shown = Markup(" ").join(Markup("<code>{{{}}}</code>").format(name) for name in self.variables[:_NAMED])
        more = len(self.variables) - _NAMED
        return shown + f" +{more}" if more > 0 else shown

    @property
    def added(self) -> int:
        """How many lines are new or changed."""
        return self._count("added")

    @property
    def removed(self) -> int:
        """How many lines are gone or changed."""
        return self._count("removed")

    def _count(self, kind: str) -> int:
        return sum(line.kind == kind for line in self.changes or ())
