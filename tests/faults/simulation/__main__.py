"""`python -m tests.faults.simulation --seed N`: live one seed again and tell its history; `--seeds A-B`: live many."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tests.faults.simulation.seed import Outcome, simulate


def main(argv: Sequence[str] | None = None) -> int:
    """The script: 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.simulation", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="live this one, and tell its history")
    which.add_argument("--seeds", metavar="A-B", help="live all of these, and tell what came of each")
    options = parser.parse_args(argv)
    if options.seed is not None:
        outcome = simulate(options.seed)
        print("\n".join(outcome.lines))
        print(_told(outcome))
        return 1 if outcome.violations else 0
    first, last = map(int, options.seeds.split("-"))
    failed = 0
    for seed in range(first, last + 1):
        outcome = simulate(seed)
        failed += bool(outcome.violations)
        print(_told(outcome), flush=True)
    print(f"{last + 1 - first} seeds, {failed} failed")
    return 1 if failed else 0


def _told(outcome: Outcome) -> str:
    violations = "".join(f"\nVIOLATION {each}" for each in outcome.violations)
    return f"seed {outcome.seed}: {outcome.records} records, digest {outcome.digest}{violations}"


if __name__ == "__main__":
    sys.exit(main())
