"""docs/interface.md names every page, every state of a screen, and tests that exist."""

import re

from tests.e2e.screens import BY_ID
from webadmin.config import PROJECT

TEXT = (PROJECT / "docs" / "interface.md").read_text(encoding="utf-8")


def rows(title):
    """The cells of the table under this heading."""
    section = TEXT.split(f"\n## {title}", 1)[1].split("\n## ", 1)[0]
    lines = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_every_page_has_a_screen_or_says_that_it_is_none():
    pages = {address for row in rows("Pages") for address in quoted(row[0])}
    assert "/assistants/edit/KEY" in pages
    assert pages - {address for row in rows("Screens") for address in quoted(row[1])} == set()


def test_every_state_of_a_screen_is_looked_at():
    states = [state for row in rows("Screens") for state in quoted(row[2])]
    assert sorted(states) == sorted(BY_ID)


def test_every_test_that_is_named_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    assert len(named) > 30
    assert [
        name for file, name in named if not re.search(rf"\bdef {name}\(", (PROJECT / file).read_text(encoding="utf-8"))
    ] == []
