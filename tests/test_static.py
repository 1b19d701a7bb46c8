"""What the browser loads: what is vendored is what it claims to be, the budgets hold, nothing is inline."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STATIC, TEMPLATES = ROOT / "static", ROOT / "templates"
PAGES = sorted(TEMPLATES.rglob("*.html"))


@pytest.mark.parametrize(
    ("folder", "expected"), [(STATIC, {"htmx-4.0.1.min.js", "icons.svg"}), (ROOT / "tests", {"axe-core-4.14.1.min.js"})]
)
def test_vendored_files_have_the_checksums_that_are_written_down(folder: Path, expected: set[str]) -> None:
    text = (folder / "vendor" / "VENDORED.md").read_text()
    rows = re.findall(r"`(?:static/)?([\w./-]+\.(?:js|svg))`.*?`?([0-9a-f]{64})`?", text)
    assert {name.rsplit("/", 1)[-1] for name, _ in rows} >= expected
    for name, checksum in rows:
        found = next(folder.rglob(name.rsplit("/", 1)[-1]))
        assert hashlib.sha256(found.read_bytes()).hexdigest() == checksum, name


@pytest.mark.parametrize(
    ("files", "raw", "packed"), [(["css/app.css"], 40 * 1024, 10 * 1024), (["js/app.js", "js/forms.js"], 15_000, 6_000)]
)
def test_the_size_budgets_hold(files: list[str], raw: int, packed: int) -> None:
    content = b"".join((STATIC / name).read_bytes() for name in files)
    assert len(content) <= raw
    assert len(gzip.compress(content)) <= packed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TEMPLATES)))
def test_no_template_has_inline_script_style_or_event_handler(page: Path) -> None:
    text = page.read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|hx-on|javascript:|hx-vals=['\"]js:", text)
    assert not re.search(r"<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"""(?:src|href)=["']https?://""", text)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name.startswith("_")], ids=lambda page: page.name)
def test_every_fragment_is_used(page: Path) -> None:
    name = str(page.relative_to(TEMPLATES))
    users = [*PAGES, *(ROOT / "webadmin").rglob("*.py")]
    assert any(name in user.read_text() for user in users if user != page), f"nobody renders {name}"


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol[^>]*\sid="([\w-]+)"', (STATIC / "icons.svg").read_text()))
    named = set()
    for source in [*PAGES, *(ROOT / "webadmin" / "web").rglob("*.py")]:
        named |= set(
            re.findall(r"""(?:icon_name|icon)=["']([\w-]+)["']|icon\(["']([\w-]+)["']\)""", source.read_text())
        )
    assert named
    missing = {name for pair in named for name in pair if name} - sprite
    assert not missing
