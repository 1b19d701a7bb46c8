"""The documents agree with the program: settings here, commands and routes as they come."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from babel.messages.pofile import read_po
from flask import Flask

from webadmin import config, setting_docs
from webadmin.config import PROJECT, SETTINGS

DOCUMENTS = sorted(path.name for path in (PROJECT / "docs").glob("*.md"))


def page(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def test_example_file_is_what_make_docs_writes():
    assert page(".env.local.example") == setting_docs.example_file(), "run: make docs"


def test_table_of_settings_is_what_make_docs_writes():
    text = page("docs/configuration.md")
    assert text == setting_docs.with_table(text), "run: make docs"
    assert all(f"`{setting.name}`" in text for setting in SETTINGS)


def test_copied_example_changes_nothing(tmp_path):
    """Every line of the example is a comment, and each default, uncommented, is accepted."""
    lines = setting_docs.example_file().splitlines()
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
    ours = {"backup", "assistants", "user", "token", "setup-code", "doctor", "db", "recover"}
    found = [name for name in commands(app.cli) if name.split()[0] in ours]
    assert len(found) > 15
    text = page("docs/cli.md")
    assert [name for name in found if f"`{name}" not in text] == []


def operations(app: Flask) -> dict[str, dict]:
    """The calls of the OpenAPI document, by method and address."""
    with app.app_context():
        paths = app.extensions["openapi"]()["paths"]
    return {
        f"{method.upper()} {path}": call
        for path, calls in paths.items()
        for method, call in calls.items()
        if method != "parameters"
    }


def sections(text: str) -> dict[str, str]:
    """What stands under each heading of docs/api.md that names a call."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {heading: body for heading, body in zip(parts[1::2], parts[2::2], strict=True) if " /api/" in heading}


def test_the_calls_of_the_document_and_of_its_page_are_the_same(app: Flask):
    assert sorted(sections(page("docs/api.md"))) == sorted(operations(app))


def test_each_parameter_and_field_of_a_call_stands_in_its_section(app: Flask):
    found = sections(page("docs/api.md"))
    with app.app_context():
        document = app.extensions["openapi"]()
    for name, call in operations(app).items():
        named = {each["name"] for each in call.get("parameters", []) if "in" in each}
        for content in call.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"]
            if "$ref" in schema:
                schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            named |= {field for field in schema.get("properties", {}) if "Document" not in str(content["schema"])}
        assert [each for each in sorted(named) if not re.search(rf"\b{each}\b", found[name])] == [], name


def test_the_codes_of_the_document_and_of_its_page_are_the_same(app: Flask):
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", page("docs/api.md"), flags=re.MULTILINE)
    with app.app_context():
        responses = app.extensions["openapi"]()["components"]["responses"]
    shown = {
        (code, status)
        for status, of in responses.items()
        for content in of.get("content", {}).values()
        for code in content["examples"]
    }
    assert set(rows) == shown
    assert len(rows) == len(shown)


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


def test_troubleshooting_quotes_what_the_program_says_and_names_commands_that_exist(app: Flask):
    text = page("docs/troubleshooting.md")
    with (PROJECT / "webadmin/translations/zh/LC_MESSAGES/messages.po").open("rb") as file:
        said = "\n".join(
            str(message.id).replace("%(name)s", "assistants.db") for message in read_po(file) if message.id
        )
    quoted = [
        part for quote in re.findall(r"«(.+?)»", text, flags=re.DOTALL) for part in " ".join(quote.split()).split(" … ")
    ]
    assert len(quoted) > 9
    assert [quote for quote in quoted if quote not in said] == []
    known = list(commands(app.cli))
    lines = re.findall(r"^    \.venv/bin/flask (.+)$", text, flags=re.MULTILINE)
    assert len(lines) > 7
    assert [line for line in lines if not any(line.startswith(name) for name in known)] == []


@pytest.mark.parametrize("name", ["SECURITY.md", "docs/asvs.md", "docs/deployment.md"])
def test_what_is_named_as_proof_is_there(name: str):
    named = re.findall(r"`((?:tests|deploy|static)/[^`*…]+)`", page(name))
    assert named
    for each in named:
        path, _, test = each.partition("::")
        assert (PROJECT / path).exists(), each
        assert not test or re.search(rf"def {test.rpartition('::')[2]}\b", page(path)), each
