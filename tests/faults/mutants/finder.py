"""One proof of the journal, briefly: `python -m tests.faults.mutants.finder PROOF CASES [SCENARIO]`.

It ends with the first violation. The exit status is 1 when there was one.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Final

from tests.faults.journal import crash_states, damages, error_points, repairs
from tests.faults.journal.scenarios import SCENARIOS, Scenario
from tests.faults.proof import Budget, Enough, Tally

PROOFS: Final[dict[str, Callable[[Tally], None]]] = {
    "crashes": crash_states.prove,
    "errors": error_points.prove,
    "damages": damages.prove,
    "repairs": repairs.crash_repairs,
}
PARTS: Final[dict[str, Callable[[Tally, Scenario], None]]] = {
    "crashes": lambda tally, scenario: crash_states.Explorer(tally).explore(scenario),
    "errors": lambda tally, scenario: error_points.Errors(tally).go_through(scenario),
}
"""Of these a single scenario will do, where it is known which of them meets a defect."""


def main(name: str, cases: str, scenario: str = "") -> int:
    """The script."""
    tally = Tally(Budget(int(cases), brief=True))
    try:
        if scenario:
            PARTS[name](tally, next(each for each in SCENARIOS if each.name == scenario))
        else:
            PROOFS[name](tally)
    except Enough:
        pass
    except Exception:
        tally.violated += 1
        traceback.print_exc(file=sys.stdout)
    print(*tally.violations, f"{tally.cases} cases, {tally.violated} violations", sep="\n")
    return 1 if tally.violated else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
