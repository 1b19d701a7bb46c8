"""A real server for the tests of one file, and a client over an empty catalogue."""

from __future__ import annotations

import pytest

from tests.api.documents import EMPTY, IMPORT
from tests.sites import Site


@pytest.fixture(scope="module")
def site(request, tmp_path_factory):
    """A site of its own for each file; `SETTINGS` of the file, where it has them, are in force."""
    made = Site(tmp_path_factory.mktemp("api"), dict(getattr(request.module, "SETTINGS", {})))
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(site):
    return site.serve()


@pytest.fixture(scope="module")
def shared(site, server):
    with site.client(server) as client:
        yield client


@pytest.fixture
def emptied(shared):
    """A client of a site whose catalogue is empty."""
    answer = shared.post(IMPORT, json=EMPTY, params={"mode": "replace", "confirmDeleteAll": "true"})
    assert answer.status_code == 200, answer.text
    return shared
