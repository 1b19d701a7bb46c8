"""The examples of `/api/docs`: one call for each operation, written for curl, Python and JavaScript.

Together they tell one story, in the order of `CALLS`, which is that of the page too: an assistant is made, read,
changed, submitted and deleted, the catalogue goes out and in. The tests run exactly these texts. They take the token,
and the id of a task, from variables.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

_ID = "recipe-scaler"
_CATALOGUE = "catalogue.json"
_DOCUMENT = {"assistants": [{"id": _ID, "title": "Recipe Scaler", "prompt": "You scale recipes."}]}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `saves` and `sends` name the file that it writes and the one that it uploads."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    saves: str | None = None
    sends: str | None = None
    is_open: bool = False
    is_bare: bool = False
    """Whether the answer has no envelope."""

    def address(self, site: str, variable: str) -> str:
        """The whole address; `variable` is how the language writes a variable inside a text: `${%s}`."""
        path = self.path.replace("{job}", variable % "JOB")
        return f"{site}{path}{'?' + urlencode(self.query) if self.query else ''}"


CALLS = {
    "createAssistant": Call(
        "POST",
        "/api/assistants",
        body={
            "id": _ID,
            "title": "Recipe Scaler",
            "desc": "Turns a recipe for four into one for any number",
            "emoji": "🍲",
            "prompt": "You scale recipes. Round to what a kitchen can measure.",
            "tags": ["cooking"],
        },
    ),
    "getAssistant": Call("GET", f"/api/assistants/{_ID}"),
    "listAssistants": Call("GET", "/api/assistants", query={"search": "recipe", "pageSize": "20"}),
    "updateAssistant": Call(
        "PUT", f"/api/assistants/{_ID}", body={"desc": "Scales a recipe to any number of guests", "version": 1}
    ),
    "setAssistantStatus": Call(
        "PATCH",
        f"/api/assistants/{_ID}/status",
        body={"status": "pending", "reviewNote": "Look at the rounding.", "version": 2},
    ),
    "deleteAssistant": Call("DELETE", f"/api/assistants/{_ID}"),
    "exportCatalogue": Call("GET", "/api/assistants/backup/export", saves=_CATALOGUE, is_bare=True),
    "importCatalogue": Call(
        "POST", "/api/assistants/backup/import", query={"mode": "merge", "dryRun": "true"}, sends=_CATALOGUE
    ),
    "createBackup": Call(
        "POST",
        "/api/assistants/backup/create",
        body={"note": "Before the new prompts"},
        headers={"Prefer": "respond-async"},
    ),
    "listBackups": Call("GET", "/api/assistants/backup/list"),
    "getJob": Call("GET", "/api/jobs/{job}"),
    "cancelJob": Call("POST", "/api/jobs/{job}/cancel"),
    "getHealth": Call("GET", "/api/health", is_open=True),
    "getDocument": Call("GET", "/api/openapi.json", is_bare=True),
}


def write(operation_id: str, language: str, site: str) -> str:
    """The example of an operation in a language of `LANGUAGES`, for the site at this address."""
    return _WRITERS[language](CALLS[operation_id], site)


def _curl(call: Call, site: str) -> str:
    method = "" if call.method == "GET" else f" -X {call.method}"
    parts = [f"curl --fail-with-body -sS{method}", f'"{call.address(site, "$%s")}"']
    if not call.is_open:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    parts += [f'-H "{name}: {value}"' for name, value in call.headers.items()]
    if call.body is not None:
        parts += ['-H "Content-Type: application/json"', f"--data {shlex.quote(_json(call.body))}"]
    if call.sends:
        parts.append(f"-F file=@{call.sends}")
    if call.saves:
        parts.append(f"-o {call.saves}")
    # Without an indent: a long address would leave an empty line where the page is narrow.
    return " \\\n".join(parts)


def _python(call: Call, site: str) -> str:
    is_varied = "{job}" in call.path
    address = call.address(site, "{os.environ['%s']}")
    headers = {} if call.is_open else {"Authorization": "f\"Bearer {os.environ['TOKEN']}\""}
    headers |= {name: json.dumps(value) for name, value in call.headers.items()}
    given = [f'{"f" * is_varied}"{address}"']
    if headers:
        given.append("headers={" + ", ".join(f'"{name}": {value}' for name, value in headers.items()) + "}")
    if call.body is not None:
        given.append(f"json={_indented(call.body, '    ')}")
    if call.sends:
        given.append(f'files={{"file": open("{call.sends}", "rb")}}')
    given.append("timeout=60")
    lines = [] if call.is_open else ["import os", ""]
    lines += ["import requests", "", f"answer = requests.{call.method.lower()}("]
    lines += [f"    {each}," for each in given] + [")", "answer.raise_for_status()"]
    if call.saves:
        lines += [f'with open("{call.saves}", "wb") as file:', "    file.write(answer.content)"]
    else:
        lines.append("print(answer.json())" if call.is_bare else 'print(answer.json()["data"])')
    return "\n".join(lines)


def _javascript(call: Call, site: str) -> str:
    headers = [] if call.is_open else ["Authorization: `Bearer ${TOKEN}`"]
    headers += [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in call.headers.items()]
    options = [] if call.method == "GET" else [f'method: "{call.method}"']
    lines = []
    if call.body is not None:
        headers.append('"Content-Type": "application/json"')
        options.append(f"body: JSON.stringify({_indented(call.body, '  ')})")
    if call.sends:
        # A browser's page can read no file that nobody chose, so the document is written out.
        lines += [
            f"const catalogue = {json.dumps(_DOCUMENT, indent=2)};",
            "const form = new FormData();",
            f'form.append("file", new Blob([JSON.stringify(catalogue)]), "{call.sends}");',
        ]
        options.append("body: form")
    if headers:
        options.insert(-1 if call.body or call.sends else len(options), f"headers: {{{', '.join(headers)}}}")
    quote = "`" if "{job}" in call.path else '"'
    address = f"{quote}{call.address(site, '${%s}')}{quote}"
    if options:
        lines += [f"const answer = await fetch({address}, {{", *(f"  {each}," for each in options), "});"]
    else:
        lines.append(f"const answer = await fetch({address});")
    lines.append("if (!answer.ok) throw new Error(await answer.text());")
    if call.saves:
        lines += ["// The text as it came: the checksum in it counts every byte.", "console.log(await answer.text());"]
    else:
        lines += [
            "const answered = await answer.json();",
            f"console.log({'answered' if call.is_bare else 'answered.data'});",
        ]
    return "\n".join(lines)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _indented(value: Any, margin: str) -> str:
    return json.dumps(value, ensure_ascii=False, indent=len(margin)).replace("\n", f"\n{margin}")


_WRITERS: dict[str, Callable[[Call, str], str]] = {"curl": _curl, "python": _python, "javascript": _javascript}
LANGUAGES = {"curl": "curl", "python": "Python", "javascript": "JavaScript"}
# How each language is given what the examples read.
VARIABLES = {
    "curl": "export TOKEN=aat_… JOB=…",
    "python": "export TOKEN=aat_… JOB=…; pip install requests",
    "javascript": 'const TOKEN = "aat_…", JOB = "…";',
}
