"""The checks behind `flask doctor` and the health page: each with a code, a state, one measured fact, the next step.

Nothing here changes anything. A check that cannot be made says so as its own finding and keeps no other from running.
"""

from __future__ import annotations

from webadmin import config
from webadmin.diagnostics import data, installation
from webadmin.diagnostics.checks import Check, CheckState, Finding, Named, has_failed, run_each

__all__ = ["Check", "CheckState", "Finding", "Named", "has_failed", "run_checks", "run_each"]


def run_checks(*, is_thorough: bool = True) -> list[Check]:
    """Run all checks inside an application context; a thorough run reads every page and row of the database."""
    checks = [*data.CHECKS, *installation.CHECKS]
    if config.current().database_path.exists():
        checks += data.OF_A_FILE
        checks += data.THOROUGH if is_thorough else ()
    return run_each(checks)
