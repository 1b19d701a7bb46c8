"""What the documents say of the settings: `.env.local.example` and the table of docs/configuration.md; `make docs`."""

from __future__ import annotations

from webadmin.config import PROJECT, SETTINGS


def example_file() -> str:
    """The text of `.env.local.example`."""
    lines = [
        "# Copy to .env.local and take away the # before what you change. The environment counts before this file."
    ]
    for setting in SETTINGS:
        accepts = setting.parser.accepts
        lines += ["", f"# {setting.help} Accepted: {accepts}."]
        lines += [f"# Not set: {setting.otherwise}."] if setting.default is None else []
        value = setting.default or ""
        lines.append(f'# {setting.name}="{value}"' if " " in value else f"# {setting.name}={value}")
    return "\n".join(lines) + "\n"


def settings_table() -> str:
    """The table of settings in `docs/configuration.md`."""
    lines = ["| setting | default | meaning | accepted |", "| --- | --- | --- | --- |"]
    for setting in SETTINGS:
        name = f"`{setting.name}`" + (f", `{setting.name}_FILE`" if setting.secret else "")
        default = f"`{setting.default}`" if setting.default is not None else setting.otherwise
        lines.append(f"| {name} | {default} | {setting.help} | {setting.parser.accepts} |")
    return "\n".join(lines) + "\n"


_BEGIN, _END = "<!-- settings: written by make docs -->\n", "<!-- end of settings -->\n"


def with_table(document: str) -> str:
    """`document` with what stands between the two marks replaced by the table of settings."""
    before, _, rest = document.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return before + _BEGIN + settings_table() + _END + after


def write_docs() -> None:
    """Renew the example file and the table; `make docs`."""
    (PROJECT / ".env.local.example").write_text(example_file(), encoding="utf-8")
    page = PROJECT / "docs" / "configuration.md"
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write_docs()
