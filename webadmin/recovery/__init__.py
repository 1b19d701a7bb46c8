"""Recovery of a damaged or lost database: a sound copy, and over it what the damaged file still gives.

The new database is built and proved in a folder of its own, with a plan of what differs; somebody chooses; only then it
takes the place of the damaged one, which is set aside and never deleted. A kill leaves one or the other.
"""

from __future__ import annotations

from webadmin import db
from webadmin.accounts import Actor
from webadmin.backups import Silent
from webadmin.recovery.building import build
from webadmin.recovery.copies import Copy, NothingToRecoverFrom, NotSound, check_known, kind_of, list_copies
from webadmin.recovery.copies import Kind as CopyKind
from webadmin.recovery.plan import Difference, Kind, Plan, PlanChanged, Report, is_prepared, open_plan
from webadmin.recovery.swap import Recovery, apply, discard, find_outcome, recovered_since
from webadmin.recovery.workshop import RecoveryRuns, RecoveryStopped, remove_leftovers

__all__ = [
    "Copy",
    "CopyKind",
    "Difference",
    "Kind",
    "NotSound",
    "NothingToRecoverFrom",
    "Plan",
    "PlanChanged",
    "Recovery",
    "RecoveryRuns",
    "RecoveryStopped",
    "Report",
    "apply",
    "build",
    "check_known",
    "discard",
    "find_outcome",
    "is_prepared",
    "kind_of",
    "list_copies",
    "open_plan",
    "recover",
    "recovered_since",
    "remove_leftovers",
]


def recover(actor: Actor, *, take_newer: bool = True, source: str | None = None, is_dry: bool = False) -> Recovery:
    """Build and apply in one go; raises what `build` and `apply` raise.

    `take_newer`: whether what the damaged file holds in a higher version, or alone, comes over the copy.
    `is_dry`: leave it prepared, and put nothing in place.
    """
    # Who closes a file last moves its log into it. Let that be now: at the end of a command it would look like somebody
    # else's change, and what was prepared would not be put in place.
    db.db.session.remove()
    db.db.engine.dispose()
    report = build(actor, Silent(), source=source)
    with open_plan() as plan:
        if not take_newer:
            plan.decide_all(None, is_taken=False)
        edition, differences = plan.edition, list(plan.all())
    if is_dry:
        return Recovery.prepared(report, differences)
    done = apply(actor, Silent(), edition=edition)
    done.differences = differences
    return done
