"""The scheduled tasks, run by hand: a line with the name of one comes in, a line with what became of it goes out."""

from __future__ import annotations

import json
import sys
import traceback

from webadmin.app import create_app
from webadmin.db import translate
from webadmin.errors import DomainError
from webadmin.scheduler import Scheduler


def main() -> None:
    app = create_app()
    scheduler = Scheduler(app)
    print("ready", flush=True)
    for line in sys.stdin:
        # Each try is the first one: what failed before must not make it wait.
        scheduler._back_offs.clear()
        scheduler._day_done = None
        outcome = {"words": ""}
        try:
            with app.app_context():
                getattr(scheduler, line.strip())()
        except Exception as error:
            known = error if isinstance(error, DomainError) else translate(error)
            outcome = {"words": str(known)} if known else {"words": "", "traceback": traceback.format_exc()}
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
