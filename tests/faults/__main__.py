"""All proofs about faults, as one table: `python -m tests.faults [--minutes N] [--only NAME]`.

The quick proof looks at the cases that are promised; with --minutes the same proofs then go on with fresh dice, for so
long in all. The exit status is 1 when a promise was broken, or fewer cases were looked at than promised. What this
machine does not allow is skipped, and the table says why.
"""

from __future__ import annotations

import argparse
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from tests.faults.proof import Budget
from tests.faults.proofs import PROOFS, Proof, Result, named, prove

GUARD_SECONDS: Final = 1800.0  # beyond its time: a proof that hangs has failed
AT_ONCE: Final = 1 + (os.cpu_count() or 1)  # several of them mostly wait, for processes and for disks
SOURCES: Final = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    """The script."""
    options = _options(argv)
    chosen = [named(name) for name in options.only] or list(PROOFS)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # containers often set it; every daemon would be compiled anew
    if options.here:
        logging.disable()  # thousands of warnings that are as they should be
        print(msgspec.json.encode(prove(chosen[0], Budget(options.cases, options.seconds, options.seed))).decode())
        return 0
    shares = sum(proof.share for proof in chosen) / options.at_once or 1
    longest_first = sorted(chosen, key=lambda proof: proof.minutes, reverse=True)
    with ThreadPoolExecutor(options.at_once) as pool:
        seconds = [options.minutes * 60 * min(1, proof.share / shares) for proof in longest_first]
        results = pool.map(partial(_elsewhere, options.seed), longest_first, seconds)
        by_name = {result.name: result for result in results}
    print(table([(proof, by_name[proof.name]) for proof in chosen]))
    return 1 if any(result.violated for result in by_name.values()) else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="go on for so long, in all")
    parser.add_argument("--only", action="append", default=[], choices=[proof.name for proof in PROOFS])
    parser.add_argument("--seed", type=int, default=0, help="of the dice, where the promised cases end")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="proofs at the same time")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # one proof, in this process
    parser.add_argument("--cases", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _elsewhere(seed: int, proof: Proof, seconds: float) -> Result:
    """Give a proof in a process of its own."""
    words = [sys.executable, "-m", "tests.faults", "--here", "--only", proof.name]
    words += ["--cases", str(proof.cases), "--seconds", str(seconds), "--seed", str(seed)]
    try:
        done = subprocess.run(words, cwd=SOURCES, stdout=subprocess.PIPE, timeout=seconds + GUARD_SECONDS, check=True)
        result = msgspec.json.decode(done.stdout.splitlines()[-1], type=Result)
    except (subprocess.SubprocessError, IndexError, msgspec.MsgspecError) as error:
        result = Result(proof.name, violated=1, violations=[f"it came to no end: {error}"])
    told = result.skipped or f"{result.cases} cases, {result.violated} violations, {result.seconds:.0f} s"
    print(f"{proof.name}: {told}", file=sys.stderr)
    return result


def table(results: Sequence[tuple[Proof, Result]]) -> str:
    """What was shown, one proof a line; then every violation, and what was skipped."""
    lines = [f"{'test':<52}{'count':>10}{'violations':>12}{'s':>6}"]
    for proof, result in results:
        count = "skipped" if result.skipped else f"{result.cases:,}"
        lines.append(f"{proof.name + ': ' + proof.shows:<52}{count:>10}{result.violated:>12}{result.seconds:>6.0f}")
    for proof, result in results:
        lines += [f"SKIPPED {proof.name}: {result.skipped}"] if result.skipped else []
        lines += [f"VIOLATION {proof.name}: {violation}" for violation in result.violations]
        if len(result.violations) < result.violated:
            lines.append(f"{proof.name}: and {result.violated - len(result.violations)} more violations")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
