"""Every text that people see has its Chinese, said the same way; nothing on a page or in a script bypasses gettext."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from webadmin.config import PROJECT

CHINESE = PROJECT / "webadmin" / "translations" / "zh" / "LC_MESSAGES" / "messages.po"
# The page of components is for those who build, and says so in English.
TEMPLATES = sorted(path for path in (PROJECT / "templates").rglob("*.html") if path.parent.name != "dev")
SCRIPTS = sorted((PROJECT / "static" / "js").glob("*.js"))
RENEW = "run: make translations, and fill in what is empty"

HAN = "\u3400-\u9fff"
PLACEHOLDER = re.compile(r"%\(\w+\)[\d.]*[a-z]|\{\}")
# "11月20日" and date patterns like "M月d日" are written without a gap.
DATE = re.compile(r"[\dMdy]+(?=[年月日])|(?<=月)\d+|(?<=月)d")
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
READ_ALOUD = ("aria-label", "title", "placeholder", "alt", "data-tip")
# Names of keys as they stand on keyboards, and of languages in themselves.
SAME_EVERYWHERE = {"Enter", "Ctrl", "Esc", "English", "中文", "Ctrl S", "Control"}
CSS_CLASSES = re.compile(r"btn( [a-z-]+)*")
SENTENCE = re.compile(r"[A-Z][a-z]|[a-z]+ [a-z]+ ")
# What scripts call keys and headers.
NAMES_IN_SCRIPTS = {"Enter", "Escape", "Backspace", "HX-Request", "HX-Request-Type", "HX-Redirect", "X-CSRFToken"}


def in_sources() -> set[tuple[str | None, tuple[str, ...]]]:
    """All texts of programs and templates, with their context, gathered as `make translations` does."""
    mappings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["babel"]["mappings"]
    found = extract_from_dir(
        PROJECT,
        [(mapping["pattern"], mapping["method"]) for mapping in mappings],
        {mapping["pattern"]: mapping for mapping in mappings},
        DEFAULT_KEYWORDS | {"lazy_gettext": None},
    )
    return {(context, (text,) if isinstance(text, str) else text) for _, _, text, _, context in found}


@pytest.fixture(scope="module")
def chinese() -> Catalog:
    with CHINESE.open("rb") as file:
        return read_po(file, locale="zh")


def entries(catalogue: Catalog) -> Iterator[tuple[Message, tuple[str, ...], str]]:
    """Each entry: itself, its English (one text, or singular and plural), its one Chinese text."""
    for entry in catalogue:
        if entry.id:
            english = (entry.id,) if isinstance(entry.id, str) else tuple(entry.id)
            yield entry, english, entry.string if isinstance(entry.string, str) else entry.string[0]


def test_every_text_is_in_the_catalogue_and_no_other(chinese):
    sources, known = in_sources(), {(entry.context, english) for entry, english, _ in entries(chinese)}
    assert len(sources) > 500
    assert not sources - known, RENEW
    assert not known - sources, RENEW


def test_no_translation_is_empty_or_a_guess(chinese):
    assert not [english for entry, english, text in entries(chinese) if not text or entry.fuzzy], RENEW


def test_translations_have_the_same_placeholders(chinese):
    def placeholders(text: str) -> list[str]:
        return sorted(PLACEHOLDER.findall(text))

    assert not [text for _, english, text in entries(chinese) if placeholders(text) != placeholders(english[-1])]


def test_compiled_catalogue_is_made_of_the_readable_one(chinese):
    compiled = BytesIO()
    write_mo(compiled, chinese)
    assert CHINESE.with_suffix(".mo").read_bytes() == compiled.getvalue(), RENEW


def test_chinese_has_chinese_punctuation(chinese):
    ascii_punctuation = re.compile(rf"[{HAN}”）][,;:!?.()]|[,;:!?()][{HAN}]|[\"«»]")
    assert not [text for _, _, text in entries(chinese) if ascii_punctuation.search(text)]


def test_sentences_end_as_sentences_in_chinese(chinese):
    sentences = [text for _, english, text in entries(chinese) if english[0].endswith((".", "?"))]
    assert not [text for text in sentences if not text.endswith(("。", "？"))]


def test_chinese_and_latin_stand_apart(chinese):
    touching = re.compile(rf"[{HAN}][A-Za-z\d]|[A-Za-z\d][{HAN}]")
    assert not [text for _, _, text in entries(chinese) if touching.search(PLACEHOLDER.sub("", DATE.sub("", text)))]


class LiteralText(HTMLParser):
    """What a template says in words of its own: text, and attributes that are read aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_data(self, data):
        # Attributes that a {% set %} block keeps for later look like text.
        if '="' not in data:
            self.found.append(data.strip())


def literal_text(source: str) -> list[str]:
    parser = LiteralText()
    parser.feed(JINJA.sub("0", source))
    return [text for text in parser.found if re.search(rf"[A-Za-z]{{2}}|[{HAN}]", text) and text not in SAME_EVERYWHERE]


def sentences_in_code(node: nodes.Node) -> Iterator[str]:
    """Strings of expressions that look like words for people and are no argument of gettext."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in {"_", "ngettext"}:
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str) and SENTENCE.search(node.value):
        yield node.value
    for child in node.iter_child_nodes():
        yield from sentences_in_code(child)


def is_for_people(text: str) -> bool:
    return text not in SAME_EVERYWHERE and not CSS_CLASSES.fullmatch(text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT / "templates")))
def test_templates_say_nothing_past_gettext(path: Path):
    source = path.read_text(encoding="utf-8")
    assert not literal_text(source)
    assert not [text for text in sentences_in_code(Environment().parse(source)) if is_for_people(text)]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_get_their_words_from_the_page(path: Path):
    code = re.sub(r"^\s*//.*$|\s// .*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    strings = [one or two for one, two in re.findall(r"'([^'\n]*)'|\"([^\"\n]*)\"", code)]
    strings += [re.sub(r"\$\{.*?\}", "", text) for text in re.findall(r"`([^`]*)`", code)]
    assert not [text for text in strings if SENTENCE.search(text) and text not in NAMES_IN_SCRIPTS]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Saved</p>", ["Saved"]),
        ("<p>{{ _('Saved') }} · {{ n }}</p>", []),
        ('<a title="Open it" href="{{ x }}">{{ _("Open") }}</a>', ["Open it"]),
        ("<button aria-label=\"{{ _('Close') }}\">×</button>", []),
    ],
)
def test_scan_of_templates_finds_what_bypasses_gettext(source: str, found: list[str]):
    assert literal_text(source) == found
