"""The proof that a seed decides everything: fresh processes that hash in different orders live the same lives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.faults.proof import Tally

PROCESSES: Final = 3
SOURCES: Final = Path(__file__).resolve().parents[3]


def digests(first: int, last: int, hash_seed: int) -> list[str]:
    """One line for each seed, with the digest of its history, as a fresh process tells it."""
    words = [sys.executable, "-m", "tests.faults.simulation", "--seeds", f"{first}-{last}"]
    environ = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(words, cwd=SOURCES, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    return [line for line in done.stdout.splitlines() if line.startswith("seed ")]


def prove(tally: Tally) -> None:
    """Each seed in each of some processes."""
    first, count = 0, max(1, tally.budget.cases // PROCESSES)
    while tally.goes_on:
        told = [digests(first, first + count - 1, hash_seed) for hash_seed in range(1, PROCESSES + 1)]
        for number in range(count):
            tally.case(PROCESSES)
            lines = {lines[number] if number < len(lines) else "nothing" for lines in told}
            tally.expect(len(lines) == 1, f"one seed, and different lives: {sorted(lines)}")
        first += count
