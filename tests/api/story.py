"""The examples of /api/docs, taken from the page and told in their order; each is run as it stands there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import httpx

from tests.people import PASSWORD
from tests.sites import wait_for

# Settings of a site whose page can be read: it needs a person.
READER = {"ADMIN_USERNAME": "Ada", "ADMIN_PASSWORD": PASSWORD}
# Runs an example with these variables; gives what it printed, None when it failed as a program does.
Run = Callable[[str, dict[str, str]], str | None]


class _Examples(HTMLParser):
    """The first `<pre>` of each section with an id."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._section, self._is_inside = "", False

    def handle_starttag(self, tag, attrs):
        if tag == "section" and dict(attrs).get("id"):
            self._section = dict(attrs)["id"]
        if tag == "pre" and self._section and self._section not in self.found:
            self.found[self._section], self._is_inside = "", True

    def handle_endtag(self, tag):
        if tag == "pre":
            self._is_inside = False

    def handle_data(self, data):
        if self._is_inside:
            self.found[self._section] += data


def examples(client: httpx.Client, language: str) -> dict[str, str]:
    """What the page shows for each operation, character for character, in its order."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)[1]
    person = {"csrf_token": token, "username": "Ada", "password": PASSWORD}
    assert client.post("/sign-in", data=person).status_code == 303
    answer = client.get("/api/docs", params={"language": language})
    assert answer.status_code == 200, answer.text
    parser = _Examples()
    parser.feed(answer.text)
    return parser.found


def tell(client: httpx.Client, language: str, run: Run, read: Callable[[str], object]) -> None:
    """Run every example, from the top of the page to its end; `read` makes of what one printed the data of it."""
    shown, told = examples(client, language), []
    variables = {"TOKEN": client.headers["Authorization"].removeprefix("Bearer ")}
    kept = {"id": "kept", "title": "Kept", "desc": "", "emoji": "x", "prompt": "Be kept."}
    assert client.post("/api/assistants", json=kept).status_code == 201

    def say(operation: str):
        told.append(operation)
        printed = run(shown[operation], variables)
        assert printed is not None, operation
        return read(printed) if operation != "exportCatalogue" else printed

    for _ in range(2):
        # It ends where it began, so it can be told again.
        told.clear()
        assert say("createAssistant")["status"] == "draft"
        assert say("getAssistant")["title"] == "Recipe Scaler"
        assert say("listAssistants")["total"] == 1
        changed = say("updateAssistant")
        assert (changed["desc"], changed["version"]) == ("Scales a recipe to any number of guests", 2)
        assert run(shown["updateAssistant"], variables) is None, "the version is no longer the one that it names"
        assert say("setAssistantStatus")["status"] == "pending"
        assert say("deleteAssistant") == {"id": "recipe-scaler"}
        assert client.get("/api/assistants/recipe-scaler").status_code == 404
        say("exportCatalogue")
        report = say("importCatalogue")
        assert (report["unchanged"] + report["imported"], report["safetyBackup"]) == (1, None)
        variables["JOB"] = say("createBackup")["id"]
        wait_for(lambda: client.get(f"/api/jobs/{variables['JOB']}").json()["data"]["state"] == "done")
        assert {row["recordCount"] for row in say("listBackups")} == {1}
        assert say("getJob")["result"]["note"] == "Before the new prompts"
        assert say("cancelJob")["state"] == "done"
        assert say("getHealth")["status"] == "ok"
        assert say("getDocument")["openapi"] == "3.1.0"
    assert told == list(shown)
    document = client.get("/api/openapi.json").json()
    operations = [
        call["operationId"] for each in document["paths"].values() for call in each.values() if "tags" in call
    ]
    assert sorted(told) == sorted(operations)


def data_of(printed: str) -> object:
    """What curl printed: the envelope, or a document that has none."""
    value = json.loads(printed)
    return value.get("data", value)
