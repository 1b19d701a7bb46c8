"""The OpenAPI document: valid, complete in both directions, with examples that fit, and true to the settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from tests import contract
from tests.people import add_token, close
from webadmin import backups, catalogue, http_errors
from webadmin.api import openapi
from webadmin.api.openapi.errors import CODES
from webadmin.app import create_app

ADDRESS = "/api/openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def token(app) -> dict[str, str]:
    return {"Authorization": f"Bearer {add_token(app)}"}


@pytest.fixture
def document(client, token) -> dict:
    return client.get(ADDRESS, headers=token).json


def calls(document: dict) -> dict[str, dict]:
    return {
        f"{method.upper()} {path}": call
        for path, each in document["paths"].items()
        for method, call in each.items()
        if method in METHODS
    }


def every_part(value, trail=""):
    """Each object inside a value, with the way to it."""
    if isinstance(value, dict):
        yield trail, value
        for name, each in value.items():
            yield from every_part(each, f"{trail}/{name}")
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from every_part(each, f"{trail}/{number}")


class TestAddress:
    def test_it_is_given_to_a_token(self, client, token):
        answer = client.get(ADDRESS, headers=token)
        assert answer.status_code == 200
        assert answer.content_type == "application/json"
        assert answer.json["openapi"] == "3.1.0"

    def test_it_is_given_to_a_signed_in_browser(self, ada):
        assert ada.get(ADDRESS).status_code == 200

    def test_nobody_else_gets_it(self, client):
        assert client.get(ADDRESS).status_code == 401

    def test_it_is_not_sent_again_while_it_is_the_same(self, client, token):
        tag = client.get(ADDRESS, headers=token).headers["ETag"]
        again = client.get(ADDRESS, headers=token | {"If-None-Match": tag})
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)

    def test_unknown_parameter_is_refused(self, client, token):
        refused = client.get(f"{ADDRESS}?format=yaml", headers=token)
        assert refused.json["error"]["code"] == "INVALID_PARAMETER"


class TestForm:
    def test_it_is_openapi_3_1(self, document):
        assert list(OPENAPI_31_VALIDATOR.iter_errors(document)) == []

    def test_each_reference_leads_somewhere(self, document):
        for trail, part in every_part(document):
            found = document
            for name in part.get("$ref", "#").split("/")[1:]:
                assert name in found, trail
                found = found[name]

    def test_each_component_is_used(self, document):
        text = str(document)
        for kind in ("schemas", "parameters", "headers"):
            for name in document["components"][kind]:
                assert f"'#/components/{kind}/{name}'" in text, name

    def test_each_schema_example_fits_its_schema(self, document):
        for trail, part in every_part(document["components"]["schemas"]):
            for example in part.get("examples", []) if isinstance(part.get("examples"), list) else []:
                assert not list(contract.validator(part).iter_errors(example)), trail

    def test_each_body_has_examples_that_fit(self, document):
        seen = 0
        for trail, part in every_part(document):
            for kind, content in part["content"].items() if isinstance(part.get("content"), dict) else ():
                for name, example in content.get("examples", {}).items():
                    errors = list(contract.validator(content["schema"]).iter_errors(example["value"]))
                    assert not errors, f"{trail} {kind} {name}: {errors[0]}"
                    seen += 1
        assert seen > 30

    def test_each_parameter_example_fits(self, document):
        for trail, part in every_part(document):
            if "in" in part and "example" in part:
                assert not list(contract.validator(part["schema"]).iter_errors(part["example"])), trail

    def test_each_call_says_what_it_does_and_shows_it(self, document):
        for name, call in calls(document).items():
            assert call["summary"], name
            assert call["description"], name
            assert call["tags"][0] in [tag["name"] for tag in document["tags"]], name
        ids = [call["operationId"] for call in calls(document).values()]
        assert len(ids) == len(set(ids))


class TestComplete:
    def test_it_has_every_route_of_the_program_and_no_other(self, app, document):
        routes = {
            f"{method} {re.sub('<(?:[a-z]+:)?([a-z]+)>', '{id}', rule.rule)}"
            for rule in app.url_map.iter_rules()
            if rule.rule.startswith("/api/") and not rule.rule.startswith("/api/docs")
            for method in rule.methods - {"HEAD", "OPTIONS"}
        }
        assert set(calls(document)) == routes

    def test_each_code_stands_there_with_its_status(self, document):
        for code, (status, *_) in CODES.items():
            response = document["components"]["responses"][str(status)]["content"]["application/json"]
            assert response["examples"][code]["value"]["error"]["code"] == code
            assert http_errors.status_of(code) == status

    def test_it_has_the_codes_of_the_handbook(self):
        text = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
        told = set(re.findall(r"^\| `([A-Z_]+)` \| (\d{3}) \|", text, re.MULTILINE))
        assert told
        assert {(code, int(status)) for code, status in told} <= {(code, row[0]) for code, row in CODES.items()}

    def test_words_of_the_program_are_those_of_the_document(self, document):
        schemas = document["components"]["schemas"]
        assert schemas["StatusChange"]["properties"]["status"]["enum"] == list(catalogue.STATUSES)
        assert schemas["Backup"]["properties"]["state"]["enum"] == list(backups.State)


class TestSettings:
    def test_limits_are_those_in_force(self, make_config):
        app = create_app(make_config(TITLE_MAX="7", TAGS_MAX="3"))
        with app.app_context():
            new = openapi.build()["components"]["schemas"]["NewAssistant"]["properties"]
        close(app)
        assert new["title"]["x-max-characters"] == 7
        assert "At most 7 " in new["title"]["description"]
        assert new["tags"]["maxItems"] == 3

    @pytest.mark.parametrize("is_public", [False, True])
    def test_reading_needs_no_token_only_where_it_is_public(self, make_config, is_public):
        app = create_app(make_config(PUBLIC_READ=str(is_public).lower()))
        with app.app_context():
            found = calls(openapi.build())
        close(app)
        open_calls = {name for name, call in found.items() if {} in call["security"] or not call["security"]}
        public = {"GET /api/assistants", "GET /api/assistants/{id}"} if is_public else set()
        assert open_calls == {"GET /api/health"} | public

    def test_a_browsers_session_needs_its_csrf_token_only_to_change_something(self, document):
        for name, call in calls(document).items():
            schemes = {scheme for way in call["security"] for scheme in way}
            assert ("csrf" in schemes) == (not name.startswith("GET")), name


class TestWatch:
    """The check that every other test goes through finds what it is there to find."""

    def refuse(self, match, *answer):
        with pytest.raises(AssertionError, match=match):
            contract.check(*answer)

    def test_status_that_is_not_told_is_found(self):
        self.refuse("418 is not in the document", "GET", "/api/health", 418, {}, b"")

    def test_missing_header_is_found(self):
        self.refuse("lacks the header X-Request-Id", "GET", "/api/health", 200, {}, b"{}")

    def test_other_type_is_found(self):
        headers = {"X-Request-Id": "1", "Content-Type": "text/html"}
        self.refuse("is text/html", "GET", "/api/health", 200, headers, b"{}")

    def test_body_of_another_form_is_found(self):
        headers = {"X-Request-Id": "1", "Content-Type": "application/json"}
        self.refuse("does not fit", "GET", "/api/health", 200, headers, b'{"success": true, "data": {"status": "ok"}}')
        self.refuse("does not fit", "GET", "/api/nothing", 404, headers, b'{"success": false, "error": {}}')

    def test_right_answer_passes(self, client, token):
        client.get("/api/health")
        client.get("/api/nothing", headers=token)
        client.post("/api/health", headers=token)
