"""The documents agree with the program: settings here, commands and routes as they come."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from flask import Flask

from webadmin import config
from webadmin.config import PROJECT, SETTINGS

DOCUMENTS = sorted(path.name for path in (PROJECT / "docs").glob("*.md"))


def page(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def test_example_file_is_what_make_docs_writes():
    assert page(".env.local.example") == config.example_file(), "run: make docs"


def test_table_of_settings_is_what_make_docs_writes():
    text = page("docs/configuration.md")
    assert text == config.with_table(text), "run: make docs"
    assert all(f"`{setting.name}`" in text for setting in SETTINGS)


def test_copied_example_changes_nothing(tmp_path):
    """Every line of the example is a comment, and each default, uncommented, is accepted."""
    lines = config.example_file().splitlines()
    assert all(line.startswith("#") or not line for line in lines)
    values = [line[2:] for line in lines if line.startswith("# ") and line[2:].split("=")[0].isupper()]
    file = tmp_path / ".env.local"
    file.write_text("\n".join(values), encoding="utf-8")
    plain, copied = config.Config.load({}, env_file=None), config.Config.load({}, env_file=file)
    assert {s.name for s in SETTINGS} == {v.split("=")[0] for v in values}
    assert all(getattr(plain, s.name.lower()) == getattr(copied, s.name.lower()) for s in SETTINGS)


def commands(group: click.Group, prefix: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name


def test_every_command_is_documented(app: Flask):
    ours = {"backup", "assistants", "user", "token", "setup-code", "doctor", "db"}
    found = [name for name in commands(app.cli) if name.split()[0] in ours]
    assert len(found) > 15
    text = page("docs/cli.md")
    assert [name for name in found if f"`{name}" not in text] == []


def test_every_call_of_the_api_is_documented(app: Flask):
    text = page("docs/api.md")
    calls = {str(rule) for rule in app.url_map.iter_rules() if str(rule).startswith("/api/")}
    assert [call for call in calls if call not in text] == []


def test_every_page_is_documented(app: Flask):
    text = page("docs/interface.md")
    paths = {
        re.sub(r"<(?:[\w()=]+:)?(\w+)>", lambda found: found[1].upper(), str(rule))
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not str(rule).startswith(("/api/", "/static/"))
    }
    assert [path for path in sorted(paths) if f"`{path}`" not in text] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "data/README.md", *(f"docs/{n}" for n in DOCUMENTS)])
def test_links_between_documents_lead_somewhere(name: str):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page(name)):
        assert ((PROJECT / name).parent / target).exists(), target


@pytest.mark.parametrize("name", ["README.md", "data/README.md", "docs/cli.md"])
def test_commands_that_documents_show_exist(name: str, app: Flask):
    known = set(commands(app.cli))
    for shown in re.findall(r"\.venv/bin/flask ([a-z-]+(?: [a-z-]+)?)", page(name)):
        assert shown in known or shown.split()[0] in known, shown
