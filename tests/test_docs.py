"""The documents agree with the program: settings here, commands and routes as they come."""

from __future__ import annotations

from webadmin import config
from webadmin.config import PROJECT, SETTINGS


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
