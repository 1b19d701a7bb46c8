"""The catalogue in a real browser: with scripts, without, on a phone, in Chinese."""

import re

import pytest
from playwright.sync_api import expect

from tests.factories import make_record, store, stored
from webadmin import catalogue

CHINESE = make_record("zh", title="产品经理", desc="写需求文档", prompt="你是一名产品经理。", tags=["产品"], emoji="📦")


@pytest.fixture(autouse=True)
def _records(app):
    store(
        app,
        make_record(emoji="🤖\r\n", prompt="\r\nfirst\r\nsecond", tags=["coding", "a, b"]),
        CHINESE,
        *(make_record(f"n{n}", title=f"Number {n:02}", status="draft") for n in range(30)),
    )


def wait_saved(page, text="Saved as v"):
    expect(page.locator("[data-toast]").filter(has_text=text).first).to_be_visible()


def test_find_by_typing(page):
    page.goto("/assistants")
    page.locator("#q").press_sequentially("产品", delay=30)
    expect(page.locator(".pager p")).to_have_text("Rows 1–1 · 1 match")
    expect(page.locator(".entry-title mark")).to_have_text("产品")
    expect(page.locator("#live")).to_have_text("1 match")
    expect(page.locator("#q")).to_be_focused()
    assert page.url.endswith("/assistants?q=%E4%BA%A7%E5%93%81")
    page.reload()
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.go_back()
    expect(page.locator("tr[data-row]")).to_have_count(25)


def test_an_input_method_searches_only_for_whole_words(page):
    page.goto("/assistants")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "?q=" in request.url else None)
    page.locator("#q").focus()
    keyboard = page.context.new_cdp_session(page)
    keyboard.send("Input.imeSetComposition", {"selectionStart": 4, "selectionEnd": 4, "text": "chan"})
    page.wait_for_timeout(500)
    assert asked == []
    keyboard.send("Input.insertText", {"text": "产品"})
    expect(page.locator("tr[data-row]")).to_have_count(1)
    assert len(asked) == 1


def test_filters_pages_and_back(page):
    page.goto("/assistants")
    page.locator(".tabs a", has_text="Draft").click()
    expect(page.locator(".pager p")).to_have_text("Rows 1–25 · 30 match")
    page.locator("a[rel=next]").click()
    expect(page.locator(".pager p")).to_have_text("Rows 26–30 · 30 match")
    page.locator("a[rel=prev]").click()
    expect(page.locator(".pager p")).to_have_text("Rows 1–25 · 30 match")
    page.locator(".menu", has_text="Tag").first.locator("summary").click()
    page.get_by_role("link", name=re.compile("^coding")).click()
    expect(page.locator(".chip.on")).to_contain_text("coding")
    expect(page.locator("#list-filters .menu[open]")).to_have_count(0)
    page.go_back()
    expect(page.locator(".chip.on")).to_have_count(0)


def test_edit_of_one_field_leaves_every_other_byte(app, page):
    before = stored(app)
    page.goto("/assistants/edit/ast_1")
    expect(page.locator("#save-bar")).to_be_hidden()
    page.locator("#desc").fill("Changed")
    expect(page.locator("#save-bar")).to_contain_text("Description")
    expect(page.locator("#card-preview")).to_contain_text("Changed")
    page.keyboard.press("Control+s")
    wait_saved(page, "Saved as v2.")
    expect(page.locator("#save-bar")).to_be_hidden()
    expect(page.locator(".timeline p").first).to_have_text("v2 · Description")
    assert catalogue.changed_fields(before, stored(app)) == ["desc", "updated_at"]
    page.locator("#title").fill("Twice")
    page.locator("#title").press("Enter")
    wait_saved(page, "Saved as v3.")
    assert stored(app).emoji == "🤖\r\n"
    assert stored(app).status == "published"


def test_the_prompt_as_it_reads_and_its_changes(app, page):
    page.goto("/assistants/edit/ast_1")
    page.locator("#prompt").fill("\nfirst\nsecond {name}")
    expect(page.locator("#show-changes")).to_have_text("Changes+1 −1")
    expect(page.locator("#prompt-hint")).to_have_text("Variables found: {name}")
    page.locator("#show-changes").click()
    expect(page.locator("#prompt-pane ins")).to_have_text(" {name}")
    expect(page.locator("#show-changes")).to_be_focused()
    expect(page.locator("#prompt")).to_be_hidden()
    page.locator("#show-preview").click()
    expect(page.locator("#prompt-pane .text-block")).to_contain_text("second {name}")
    page.locator("#show-write").click()
    expect(page.locator("#prompt")).to_have_value("\nfirst\nsecond {name}")
    expect(page.locator("#prompt")).to_be_visible()
    page.locator("#show-changes").click()
    expect(page.locator("#prompt")).to_be_hidden()
    page.keyboard.press("Control+s")
    wait_saved(page, "Saved as v2.")
    expect(page.locator("#show-changes")).to_have_text("Changes")
    expect(page.locator("#prompt")).to_be_visible()
    assert stored(app).prompt == "\r\nfirst\r\nsecond {name}"


def test_the_prompt_and_its_changes_without_scripts(app, open_browser):
    page = open_browser(java_script_enabled=False).new_page()
    page.goto("/assistants/edit/ast_1")
    page.locator("#prompt").fill("\nfirst\nthird")
    page.locator("#show-changes").click()
    expect(page.locator("#prompt-pane .added")).to_contain_text("third")
    expect(page.locator("#prompt")).to_be_hidden()
    page.locator("#show-write").click()
    expect(page.locator("#prompt")).to_have_value("\nfirst\nthird")
    page.get_by_role("button", name=re.compile("Save as v2")).click()
    expect(page.locator("[data-toast]")).to_contain_text("Saved as v2.")
    assert stored(app).prompt == "\r\nfirst\r\nthird"


def test_tags_as_chips_keep_a_tag_with_a_comma(app, page):
    page.goto("/assistants/edit/ast_1")
    expect(page.locator(".tag-box .tag")).to_have_text(["coding×", "a, b×"])
    page.locator(".tag-box input").fill("new，")
    expect(page.locator(".tag-box .tag")).to_have_text(["coding×", "a, b×", "new×"])
    page.locator(".tag-box .tag", has_text="coding").locator("button").click()
    page.locator("[data-tag=产品]").click()
    expect(page.locator("[data-tag=产品]")).to_have_count(0)
    expect(page.locator("[data-tag='a, b']")).to_have_count(0)
    page.locator("#save-bar .primary").click()
    wait_saved(page)
    assert stored(app).tags == ["a, b", "new", "产品"]


def test_a_refused_save_keeps_the_text_and_names_the_field(app, page):
    page.goto("/assistants/edit/ast_1")
    page.locator("#title").fill("")
    page.locator("#prompt").fill("typed text")
    page.locator("#save-bar .primary").click()
    expect(page.locator("[role=alert] a")).to_have_attribute("href", "#title")
    assert page.locator("#prompt").input_value() == "typed text"
    page.locator("#title").fill("Back")
    page.locator("#save-bar .primary").click()
    wait_saved(page)
    assert stored(app).prompt == "typed text"


def test_conflict_in_two_windows(app, page):
    page.goto("/assistants/edit/ast_1")
    other = page.context.new_page()
    other.goto("/assistants/edit/ast_1")
    other.locator("#title").fill("Theirs")
    other.locator("#desc").fill("Their description")
    other.locator("#save-bar .primary").click()
    wait_saved(other)
    page.locator("#desc").fill("My description")
    page.locator("#save-bar .primary").click()
    expect(page.locator("h1")).to_have_text("Someone else saved this first")
    expect(page.locator("h1")).to_be_focused()
    expect(page.locator("#conflict .card")).to_have_count(2)
    page.get_by_role("button", name="Save as v3").click()
    expect(page.locator("[data-toast]")).to_contain_text("Saved as v3.")
    record = stored(app)
    assert (record.title, record.desc, record.emoji) == ("Theirs", "My description", "🤖\r\n")
    assert record.prompt == "\r\nfirst\r\nsecond"


def test_publish_with_the_keyboard(app, page):
    page.goto("/assistants/edit/n1")
    page.locator("#title").fill("Reviewed")
    page.keyboard.press("Control+Enter")
    wait_saved(page, "Submitted for review.")
    expect(page.locator("#editor-head .badge")).to_contain_text("Pending review")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator("#review_note")).to_have_attribute("aria-invalid", "true")
    page.locator("#review_note").fill("Name the input")
    page.get_by_role("button", name="Reject").click()
    wait_saved(page, "Rejected.")
    assert (stored(app, "n1").title, stored(app, "n1").review_note) == ("Reviewed", "Name the input")


def test_delete_in_the_dialog_and_undo(app, page):
    page.goto("/assistants?q=产品")
    page.get_by_role("link", name="Actions").press("Enter")
    expect(page.locator(".c-menu summary")).to_be_focused()
    page.locator(".menu-list .danger").click()
    expect(page.locator("dialog h1")).to_have_text("Delete “产品经理”?")
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator("dialog")).to_be_hidden()
    page.locator(".c-menu summary").click()
    page.locator(".menu-list .danger").click()
    page.get_by_role("button", name="Delete assistant").click()
    expect(page.locator(".empty")).to_contain_text("Nothing matches")
    assert page.url.endswith("/assistants?q=%E4%BA%A7%E5%93%81")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("tr[data-row]")).to_have_count(1)
    assert catalogue.changed_fields(CHINESE, stored(app, "zh")) == ["updated_at"]


def test_select_and_delete_several(app, page):
    page.goto("/assistants?status=draft&sort=title")
    for n in range(3):
        page.locator("[data-select]").nth(n).check()
    expect(page.locator("[data-bulk-count]")).to_have_text("3 selected")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete 3 assistants").click()
    expect(page.locator("[data-toast]")).to_contain_text("Deleted 3 assistants.")
    expect(page.locator(".pager p")).to_contain_text("27 match")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".pager p")).to_contain_text("30 match")


def test_select_and_publish_several(app, page):
    page.goto("/assistants?status=draft&sort=title")
    for n in range(2):
        page.locator("[data-select]").nth(n).check()
    page.locator("[data-select]").nth(0).press("Enter")
    expect(page.locator("[data-bulk-count]")).to_have_text("2 selected")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator("[data-toast]")).to_contain_text("2 published.")
    expect(page.locator(".pager p")).to_contain_text("28 match")
    assert {stored(app, each).status for each in ("n0", "n1")} == {"published"}


def test_all_that_match_are_published_after_a_question(app, page):
    page.goto("/assistants?status=draft&sort=title")
    page.locator("[data-select]").nth(0).check()
    page.get_by_label("All 30 that match").check()
    expect(page.locator("[data-bulk-count]")).to_have_text("30 selected")
    page.locator("[data-select]").nth(3).uncheck()
    expect(page.locator("[data-bulk-count]")).to_have_text("24 selected")
    expect(page.get_by_label("All 30 that match")).not_to_be_checked()
    page.get_by_label("All 30 that match").check()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator("dialog h1")).to_have_text("Publish 30 assistants?")
    page.get_by_role("button", name="Publish 30 assistants").click()
    expect(page.locator("[data-toast]")).to_contain_text("30 published.")
    assert {stored(app, f"n{n}").status for n in range(30)} == {"published"}


def test_tags_of_several_are_edited_in_the_dialog(app, page):
    page.goto("/assistants?status=draft&sort=title")
    for n in range(2):
        page.locator("[data-select]").nth(n).check()
    page.get_by_role("button", name="Edit tags…").click()
    expect(page.locator("dialog h1")).to_have_text("Edit the tags of 2 assistants")
    page.locator("dialog .tag-box input").first.fill("new")
    page.locator("dialog .tag-box input").first.press("Enter")
    page.get_by_role("button", name="Save the tags").click()
    expect(page.locator("[data-toast]")).to_contain_text("Tags of 2 assistants changed.")
    assert "new" in stored(app, "n1").tags
    assert "new" not in stored(app, "n2").tags


def test_all_that_match_are_tagged_and_found_by_day_without_scripts(app, open_browser):
    page = open_browser(java_script_enabled=False).new_page()
    page.goto("/assistants?status=draft")
    page.get_by_label("All 30 that match").check()
    page.get_by_role("button", name="Edit tags…").click()
    page.locator("#tags").fill("spring")
    page.get_by_role("button", name="Save the tags").click()
    expect(page.locator("[data-toast]")).to_contain_text("Tags of 30 assistants changed.")
    assert "spring" in stored(app, "n29").tags
    page.locator("#list-filters .menu", has_text="Edited").locator("summary").first.click()
    page.locator("#edited-to").fill("2001-01-01")
    page.locator("#list-filters .block").click()
    expect(page.locator(".empty")).to_contain_text("Nothing matches these filters.")
    expect(page.locator(".chip.on")).to_contain_text("until 1 Jan 2001")


def test_everything_without_scripts(app, open_browser):
    page = open_browser(java_script_enabled=False).new_page()
    page.goto("/assistants")
    page.locator("#q").fill("产品")
    page.locator("#filters button.unscripted").click()
    page.locator(".entry-title a").click()
    page.locator("#tags").fill('产品, "x, y"')
    page.get_by_role("button", name=re.compile("Save as v2")).click()
    expect(page.locator("[data-toast]")).to_contain_text("Saved as v2.")
    assert stored(app, "zh").tags == ["产品", "x, y"]
    other = page.context.new_page()
    other.goto(page.url)
    other.locator("#title").fill("产品总监")
    other.get_by_role("button", name=re.compile("Save as v3")).click()
    page.locator("#prompt").fill("mine")
    page.get_by_role("button", name=re.compile("Save as v3")).click()
    expect(page.locator("h1")).to_have_text("Someone else saved this first")
    page.get_by_role("button", name="Save as v4").click()
    record = stored(app, "zh")
    assert (record.title, record.prompt, record.version) == ("产品总监", "mine", 4)
    page.goto("/assistants?q=产品")
    page.get_by_role("link", name="Actions").click()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete assistant").click()
    assert page.url.endswith("/assistants?q=%E4%BA%A7%E5%93%81")
    page.goto("/trash")
    page.get_by_role("button", name="Put back").click()
    expect(page.locator("#title")).to_have_value("产品总监")


def test_create_review_and_publish_without_scripts(app, open_browser):
    page = open_browser(java_script_enabled=False).new_page()
    page.goto("/assistants")
    page.get_by_role("link", name="New assistant").click()
    page.get_by_role("button", name="Create draft").click()
    expect(page.locator("[role=alert] a").first).to_have_attribute("href", "#title")
    page.locator("#title").fill("Without scripts")
    page.locator("#emoji").fill("🧪")
    page.locator("#desc").fill("Made by forms alone")
    page.locator("#prompt").fill("Say so.")
    page.get_by_role("button", name="Create draft").click()
    page.get_by_role("button", name="Submit for review").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("#editor-head .badge")).to_contain_text("Published")
    page.get_by_role("button", name="Duplicate").click()
    expect(page.locator("#editor-head .badge")).to_contain_text("Draft")
    page.goto("/assistants?status=draft&sort=title")
    for number in range(2):
        page.locator("[data-select]").nth(number).check()
    page.locator("[data-bulk-bar]").get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete 2 assistants").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-toast]")).to_contain_text("2 assistants are back.")


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_scrolls_sideways(app, open_browser, width):
    store(
        app,
        make_record(
            "wild",
            title="W" * 500,
            desc="\u202e" + "x" * 500,
            tags=["t" * 200] * 3,
            author="a" * 200,
            prompt="p" * 5000,
        ),
    )
    page = open_browser(viewport={"width": width, "height": 800}).new_page()
    for path in ("/assistants", "/assistants/edit/wild", "/assistants/new", "/assistants/filter/tag", "/trash"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_the_chinese_page_works_alike(open_browser):
    page = open_browser(locale="zh-CN").new_page()
    page.goto("/assistants")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.locator("#q").fill("产品")
    expect(page.locator("tr[data-row]")).to_have_count(1)
