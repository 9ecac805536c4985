"""Every proof: what it shows, and how many cases it looks at in the quick run. Each is a module's `prove`."""

from __future__ import annotations

import importlib
import time
import traceback
from contextlib import suppress
from typing import Final

from msgspec import Struct

from tests.faults.mutants.table import MUTANTS
from tests.faults.proof import Budget, Enough, Skipped, Tally


class Proof(Struct, frozen=True):
    """`share`: how much of a long run's time it gets; 0 for one that has nothing more to show after its cases."""

    name: str
    shows: str
    cases: int
    module: str
    share: float = 1.0


class Result(Struct, frozen=True):
    """What a proof came to."""

    name: str
    cases: int = 0
    violated: int = 0
    seconds: float = 0.0
    violations: list[str] = []
    met: dict[str, int] = {}
    skipped: str = ""


PROOFS: Final = (
    Proof("crashes", "of the journal, every disk found after", 200_000, "tests.faults.journal.crash_states", share=4),
    Proof("errors", "of each of its operations, once and for ever", 10_000, "tests.faults.journal.error_points"),
    Proof("damages", "of its bytes, lines, sectors and segments", 36_000, "tests.faults.journal.damages"),
    Proof("fuzz", "inputs for the wire and for decode_call", 5_000_000, "tests.faults.wire.fuzz", share=4),
    Proof("simulation", "seeds of the whole daemon, with all faults", 500, "tests.faults.simulation.seeds", share=4),
    Proof("determinism", "the same seeds in 3 fresh processes", 60, "tests.faults.simulation.determinism", share=0),
    Proof("mutants", "defects planted in journal and shim, found", len(MUTANTS), "tests.faults.mutants.plant", share=0),
    Proof("jobs", "through kills of daemon, shim and agent", 200, "tests.faults.jobs"),
    Proof("kill points", "at system calls, 1 in 20 the daemon's", 300, "tests.faults.real.kill_points"),
    Proof("error points", "EIO, ENOSPC, …, 1 in 20 the daemon's", 300, "tests.faults.real.error_points"),
    Proof("power cuts", "real ones, on ext4 and xfs", 40, "tests.faults.real.power_cuts"),
    Proof("scarce", "disk, file size, memory; a sync's lie", 40, "tests.faults.real.scarce"),
    Proof("properties", "examples of 2 state machines, 2,000 each", 4000, "tests.faults.properties"),
    Proof("systemd", "cases of a real systemd --user", 8, "tests.faults.service", share=0),
    Proof("hostile", "clients beside a good one", 500, "tests.faults.wire.hostile"),
)


def named(name: str) -> Proof:
    """The proof of that name. Raises KeyError."""
    return {proof.name: proof for proof in PROOFS}[name]


def prove(proof: Proof, budget: Budget) -> Result:
    """Give a proof in this process. An exception is a violation: it has shown nothing."""
    begun = time.monotonic()
    tally = Tally(budget)
    skipped = ""
    try:
        importlib.import_module(proof.module).prove(tally)
        tally.expect(tally.cases >= budget.cases, f"only {tally.cases} of {budget.cases} cases were looked at")
    except Skipped as reason:
        skipped = str(reason)
    except Enough:
        pass
    except Exception:
        with suppress(Enough):
            tally.violation(traceback.format_exc())
    seconds = time.monotonic() - begun
    return Result(proof.name, tally.cases, tally.violated, seconds, tally.violations, dict(tally.met), skipped)
