"""A move that does not exist is refused in the words of the reader's language."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.factories import make_record
from webadmin.catalogue.review import check_move
from webadmin.errors import Invalid
from webadmin.web.filters import message


@pytest.mark.parametrize(
    ("status", "said", "ways"),
    [
        ("draft", "助手不能从“草稿”变为“已驳回”。", "从“草稿”可以转为：待审核、已发布。"),
        ("published", "助手不能从“已发布”变为“已驳回”。", "从“已发布”可以转为：草稿。"),
    ],
)
def test_a_refused_move_is_told_in_chinese(app: Flask, status: str, said: str, ways: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_move(make_record(status=status), "rejected")
    assert str(caught.value).startswith(f"An assistant cannot go from {status} to rejected.")
    with app.test_request_context(headers={"Accept-Language": "zh-CN"}):
        assert message(caught.value.message) == said
        assert message(caught.value.problems[0].message) == ways


def test_a_status_that_the_other_program_wrote_leads_to_draft_alone(app: Flask) -> None:
    odd = make_record(status="archived")
    check_move(odd, "draft")
    with pytest.raises(Invalid):
        check_move(odd, "published")
