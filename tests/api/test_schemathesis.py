"""Calls that schemathesis makes up from the OpenAPI document, right ones and wrong ones, against a real server.

`SCHEMATHESIS_EXAMPLES=1000` makes that many for each call instead of a few (CONTRIBUTING.md).
"""

from __future__ import annotations

import gzip
import os
from contextlib import suppress
from copy import deepcopy
from zlib import crc32

import httpx
import pytest
import schemathesis
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, FailureGroup
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.checks import ignored_auth

from tests import contract
from tests.beyond_schema import is_rightly_refused, is_rightly_taken
from tests.sites import Site
from webadmin.api.openapi import examples

# No schema says what packed bytes are.
schemathesis.openapi.media_type("application/gzip", st.just(gzip.compress(examples.DOCUMENT_TEXT.encode())))
IMPORT = "POST /api/assistants/backup/import"
_EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES")

# A copy: links that sequences infer are written into what is given.
schema = schemathesis.openapi.from_dict(
    deepcopy(contract.document()),
    config=SchemathesisConfig.from_dict(
        {
            "base-url": "http://127.0.0.1",
            "request-timeout": 60,
            # 412 beside schemathesis' own: whether an entity tag is current depends on what is stored, as with 409.
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "401", "403", "404", "409", "412"]},
                "negative_data_rejection": {"expected-statuses": ["400", "401", "403", "404", "409", "412", "415"]},
            },
            "generation": {"max-examples": int(_EXAMPLES or 8), "deterministic": _EXAMPLES is None},
        }
    ),
)


@schema.hooks.hook
def filter_failure(context, failure, case, response) -> bool:
    """Keep every failure but those that have a reason which no schema can tell."""
    if isinstance(failure, RejectedPositiveData):
        return not is_rightly_refused(case, response)
    return not (isinstance(failure, AcceptedNegativeData) and is_rightly_taken(case))


# Calls whose guard was tried with no token and a wrong one: once is enough, and it takes three more requests.
guarded: set[str] = set()


def is_left_out(case) -> bool:
    """Nine of ten of the thousand imports of the coverage phase, each of them a task, unless all time is given."""
    is_import = case.operation.label == IMPORT and case.meta.phase.name is TestPhase.COVERAGE
    return _EXAMPLES is None and is_import and crc32(repr((case.query, case.body)).encode()) % 10 > 0


def validate(case, address: str, token: str) -> None:
    is_tried = case.operation.label in guarded
    response = case.call_and_validate(
        base_url=address,
        headers={"Authorization": f"Bearer {token}"},
        excluded_checks=[ignored_auth] if is_tried else [],
    )
    if response.status_code < 300:
        guarded.add(case.operation.label)


def fill(address: str, token: str) -> None:
    """Let the catalogue hold the records that the examples of the document speak of, some more, and no others."""
    more = [{**examples.REVIEWER, "id": f"ast_{number}"} for number in range(30)]
    filled = httpx.post(
        f"{address}/api/assistants/backup/import?mode=replace",
        json=[examples.REVIEWER, examples.DRAFT, *more],
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    assert filled.status_code == 200, filled.text


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("made-up"), {"RATE_LIMIT_MAX_REQUESTS": "0"})
    yield made
    made.close()


@pytest.fixture(scope="module")
def token(site) -> str:
    return site.token()


@pytest.fixture(scope="module")
def address(site, token) -> str:
    """The server's address; its catalogue is filled."""
    url = site.serve().url
    fill(url, token)
    return url


def test_server_gives_the_document_that_is_tried(address, token):
    served = httpx.get(f"{address}/api/openapi.json", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert served.json() == contract.document()


@schema.parametrize()
def test_call_does_what_the_document_says(case, address, token):
    if not is_left_out(case):
        validate(case, address, token)


def test_calls_in_sequence_do_what_the_document_says(address, token):
    wanted = int(_EXAMPLES or 5)
    begun: list[int] = []
    failures: list[FailureGroup] = []

    class Sequence(schema.as_state_machine()):
        def setup(self) -> None:
            begun.append(1)
            fill(address, token)

        def get_call_kwargs(self, case) -> dict:
            return {"base_url": address, "headers": {"Authorization": f"Bearer {token}"}}

        def validate_response(self, response, case, *args, **kwargs) -> None:
            kwargs["headers"] = {"Authorization": f"Bearer {token}"}
            try:
                super().validate_response(response, case, *args, **kwargs)
            except FailureGroup as failure:
                failures.append(failure)
                raise

    # The server makes ids, times and names of files, so a sequence that is tried again does not see the same twice.
    # Hypothesis stops when it notices, and is started again; a failure counts whether it can be had again or not.
    few = settings(Sequence.TestCase.settings, derandomize=_EXAMPLES is None, phases=[Phase.generate])
    while len(begun) < wanted and not failures:
        with suppress(Flaky):
            Sequence.run(settings=settings(few, max_examples=wanted - len(begun)))
    assert not failures, failures[0]
