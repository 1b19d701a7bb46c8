"""The examples of /api/docs by the real curl and by Python; those in JavaScript run in a browser (tests/e2e)."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys

import pytest

from tests.api.story import READER, data_of, tell
from tests.sites import Site


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path, READER)
    yield made
    made.close()


def runner(site, *command):
    """Runs an example in the folder of the site, with nothing of this machine's settings for proxies."""

    def run(text, variables):
        done = subprocess.run(
            [*command, text],
            cwd=site.folder,
            env=site.environment() | {"NO_PROXY": "127.0.0.1", "PYTHONIOENCODING": "utf-8"} | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode != 0:
            assert "409" in done.stderr + done.stdout, done.stderr + done.stdout
            return None
        return done.stdout

    return run


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_curl_example_does_what_the_page_says(site):
    with site.client(site.serve()) as client:
        tell(client, "curl", runner(site, "sh", "-c"), data_of)


def test_every_python_example_does_what_the_page_says(site):
    with site.client(site.serve()) as client:
        tell(client, "python", runner(site, sys.executable, "-c"), ast.literal_eval)
