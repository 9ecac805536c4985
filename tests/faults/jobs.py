"""Jobs through random kills of daemon, shim and agent: each item goes all the way, and everything holds that `kills`
looks at: what was acknowledged, one live attempt at most, true ends, work on its branch, no process left.
"""

from __future__ import annotations

import sys
from typing import Final

from tests.faults.kills import Kills
from tests.faults.proof import Tally
from tests.faults.rig import rig
from tests.faults.workers import Pace

SESSION: Final = 200  # jobs of one session
CONFIGURATION: Final = "max_agents = 8\nmax_concurrent_runs = 8\n"
PACE: Final = Pace(items=SESSION, open_items=24, think_seconds=0.4, life_seconds=6.0, look_seconds=0.08)
MUST_BE_MET: Final = (
    *("daemons killed at work", "daemons killed while starting", "shims killed", "programs killed"),
    *("items done", "tokens repeated", "deep verifications", "attempts that had to be lost"),
)


def prove(tally: Tally) -> None:
    """Sessions of so many jobs, each with dice of its own, until the budget is used up."""
    seed = tally.budget.seed
    while tally.goes_on and not tally.violated:
        with rig(CONFIGURATION) as place:
            session = Kills(place, seed, PACE)
            model = session.run(sys.maxsize)
        tally.case(session.jobs)
        for violation in model.violations:
            tally.violation(f"seed {seed}: {violation}")
        tally.met.update(model.counts)
        tally.meet("attempts that had to be lost", len(model.must_be_lost))
        seed += 1
    tally.must_have_met(MUST_BE_MET)
