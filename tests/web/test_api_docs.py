"""/api/docs: for people who are signed in, in their language, with everything that the OpenAPI document says."""

from __future__ import annotations

import re

import pytest

from tests.people import add_token
from tests.web.conftest import soup, words
from webadmin.sessions import COOKIE
from webadmin.web.api_examples import CALLS, LANGUAGES

PAGE = "/api/docs"


def operations(document: dict) -> dict[str, dict]:
    calls = [call for path in document["paths"].values() for call in path.values() if "operationId" in call]
    return {call["operationId"]: call for call in calls}


@pytest.fixture
def document(ada) -> dict:
    return ada.get("/api/openapi.json").json


def test_a_visitor_is_sent_to_sign_in_and_back(app, ada, client):
    answer = client.get(f"{PAGE}?language=python")
    assert answer.status_code == 302
    assert answer.location == "/sign-in?next=/api/docs?language%3Dpython"


def test_a_token_opens_it_as_little_as_any_other_page(app, ada, client):
    answer = client.get(PAGE, headers={"Authorization": f"Bearer {add_token(app)}"})
    assert answer.location == "/sign-in?next=/api/docs"
    assert ada.get(PAGE, headers={"Authorization": "Bearer wrong"}).status_code == 200


def test_reading_it_is_no_call_of_the_api(ada):
    assert "RateLimit" not in ada.get(PAGE).headers


def test_what_lies_beside_it_is_still_answered_in_json(ada):
    assert ada.get(f"{PAGE}/more").json["error"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_operation_is_shown_whole(ada, document, language):
    page = soup(ada.get(f"{PAGE}?language={language}"))
    for name, call in operations(document).items():
        section = page.find(id=name)
        said = words(section)
        assert call["summary"] in said
        assert section.select_one(".prose").text == call["description"].replace("`", "")
        assert all(status in said for status in call["responses"]), name
        assert section.select_one("pre").text.strip(), name


def test_every_operation_has_an_example_and_no_other_has_one(document):
    assert CALLS.keys() == operations(document).keys()


def test_each_parameter_and_each_field_that_may_be_sent_has_a_row(ada):
    page = soup(ada.get(PAGE))
    rows = {id: {words(row.td) for row in page.find(id=id).select("tbody tr")} for id in CALLS}
    assert rows["listAssistants"] >= {"page", "pageSize", "status", "author", "search", "cursor", "If-None-Match"}
    assert rows["createAssistant"] >= {"id", "title", "desc", "emoji", "prompt", "tags", "isPublic", "author"}
    assert "createdAt" not in rows["createAssistant"]
    assert rows["importCatalogue"] >= {"mode", "dryRun", "onError", "confirmDeleteAll", "acceptAltered", "file"}
    assert rows["setAssistantStatus"] >= {"status", "reviewNote", "version"}


def test_each_code_is_explained(ada, document):
    listed = {words(row.td) for row in soup(ada.get(PAGE)).find(id="codes").select("tbody tr")}
    assert listed == set(
        document["components"]["schemas"]["Failure"]["properties"]["error"]["properties"]["code"]["enum"]
    )


def test_examples_carry_the_address_by_which_the_page_was_reached(ada):
    ada.set_cookie(f"__Host-{COOKIE}", ada.get_cookie(COOKIE).value, domain="203.0.113.7")
    page = soup(ada.get(PAGE, base_url="https://203.0.113.7:8443"))
    assert '"https://203.0.113.7:8443/api/assistants/recipe-scaler"' in page.find(id="getAssistant").pre.text


def test_an_unknown_language_shows_curl(ada):
    assert soup(ada.get(f"{PAGE}?language=cobol")).find(id="getHealth").pre.text.startswith("curl ")


def test_each_link_leads_to_a_part_of_the_page(ada):
    page = soup(ada.get(PAGE))
    targets = [link["href"][1:] for link in page.select("main a[href^='#']")]
    assert len(targets) > len(CALLS)
    assert [target for target in targets if page.find(id=target) is None] == []


def test_limits_are_those_in_force(ada):
    page = words(soup(ada.get(PAGE)).find(id="createAssistant"))
    assert "At most 200 characters; longer is refused, never cut." in page


def test_what_is_common_to_all_calls_is_said(ada):
    page = words(soup(ada.get(PAGE)).main)
    for said in (
        "a/b is ~YS9i",
        "sent twice",
        "16 MiB",
        "537 MB",
        "OPTIONS is 204",
        "CORS_ORIGINS",
        "pip install requests",
    ):
        assert said in page, said
    assert 'const TOKEN = "aat_…", JOB = "…";' in page


def test_the_task_that_a_backup_becomes_is_shown_as_one(ada):
    assert '"kind": "backup"' in soup(ada.get(PAGE)).find(id="createBackup").text


def test_the_tokens_page_leads_here(ada):
    assert soup(ada.get("/settings/tokens")).select_one(f"a[href='{PAGE}']")


def test_in_chinese_each_sentence_is_chinese(ada):
    page = soup(ada.get(PAGE, headers={"Accept-Language": "zh-CN"}))
    for part in page.select("main :is(p, h1, h2, h3, th, small, summary, td:last-child)"):
        for code in part.select("code, .badge"):
            code.extract()
        for text in re.split(r"(?<=[.。；])", words(part)):
            # What stays Latin are names: of fields, headers, states.
            if re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", text):
                assert re.search("[\u4e00-\u9fff]", text), text
