"""Calls that schemathesis makes up from the OpenAPI document, right ones and wrong ones, against a real server.

`SCHEMATHESIS_EXAMPLES=1000` makes that many for each call instead of a few, and `SCHEMATHESIS_ROLE` names the role
whose token makes them all (CONTRIBUTING.md). Without it an administrator's does, now and then one of each other role.
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
from webadmin.accounts import ALLOWED, Permission, Role
from webadmin.api.openapi import examples

# No schema says what packed bytes are.
schemathesis.openapi.media_type("application/gzip", st.just(gzip.compress(examples.DOCUMENT_TEXT.encode())))
IMPORT = "POST /api/assistants/backup/import"
_EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES")
_ROLE = Role(os.environ.get("SCHEMATHESIS_ROLE", Role.ADMIN))
# What a call asks for, where its method does not tell: reading is READ, everything else WRITE (docs/people.md).
_NEEDED = {
    "GET /api/assistants/backup/export": Permission.EXPORT,
    "POST /api/assistants/backup/create": Permission.BACK_UP,
    "POST /api/jobs/{id}/cancel": Permission.READ,
    IMPORT: Permission.IMPORT,
}

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


def others(case) -> list[Role]:
    """The roles that make a call too, once an administrator did: of one in eight, since most is the same again."""
    if "SCHEMATHESIS_ROLE" in os.environ or crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 8:
        return []
    return [role for role in Role if role != _ROLE]


def validate(case, address: str, tokens: dict[Role, str], role: Role = _ROLE) -> None:
    is_tried = case.operation.label in guarded
    response = case.call_and_validate(
        base_url=address,
        headers={"Authorization": f"Bearer {tokens[role]}"},
        excluded_checks=[ignored_auth] if is_tried else [],
    )
    if response.status_code < 300:
        guarded.add(case.operation.label)
    if case.method.upper() != case.operation.method.upper():
        return  # Coverage tries the methods that an address does not have.
    is_reading = case.method.upper() == "GET"
    needed = _NEEDED.get(case.operation.label, Permission.READ if is_reading else Permission.WRITE)
    if needed not in ALLOWED[role]:
        assert 400 <= response.status_code < 500, (role, case.operation.label)
    elif role is Role.ADMIN:
        assert response.status_code != 403, case.operation.label


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
def tokens(site) -> dict[Role, str]:
    return {role: site.flask("token", "add", role, "--role", role).stdout.strip() for role in Role}


@pytest.fixture(scope="module")
def address(site, tokens) -> str:
    """The server's address; its catalogue is filled."""
    url = site.serve().url
    fill(url, tokens[Role.ADMIN])
    return url


def test_server_gives_the_document_that_is_tried(address, tokens):
    headers = {"Authorization": f"Bearer {tokens[_ROLE]}"}
    served = httpx.get(f"{address}/api/openapi.json", headers=headers, timeout=60)
    assert served.json() == contract.document()


@schema.parametrize()
def test_call_does_what_the_document_says(case, address, tokens):
    if not is_left_out(case):
        validate(case, address, tokens)
        for role in others(case):
            validate(case, address, tokens, role)


def test_calls_in_sequence_do_what_the_document_says(address, tokens):
    headers = {"Authorization": f"Bearer {tokens[_ROLE]}"}
    wanted = int(_EXAMPLES or 5)
    begun: list[int] = []
    failures: list[FailureGroup] = []

    class Sequence(schema.as_state_machine()):
        def setup(self) -> None:
            begun.append(1)
            fill(address, tokens[Role.ADMIN])

        def get_call_kwargs(self, case) -> dict:
            return {"base_url": address, "headers": headers}

        def validate_response(self, response, case, *args, **kwargs) -> None:
            kwargs["headers"] = headers
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
