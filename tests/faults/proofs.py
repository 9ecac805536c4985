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
    """`minutes`: about how long its cases take while two others go on; the longest begin first. `share`: how much of a
    long run's time it gets; 0 for one that has nothing more to show after its cases. `module`: below tests.faults.
    """

    name: str
    shows: str
    cases: int
    module: str
    minutes: float = 0.5
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
    Proof("crashes", "of the journal, every disk found after", 200_000, "journal.crash_states", 5, share=4),
    Proof("errors", "of each of its operations, once and for ever", 10_000, "journal.error_points", 1.5),
    Proof("damages", "of its bytes, lines, sectors and segments", 36_000, "journal.damages", 1.2),
    Proof("mutants", "defects planted in journal and shim, found", len(MUTANTS), "mutants.plant", 2, share=0),
    Proof("kill points", "at system calls, 1 in 20 the daemon's", 300, "real.kill_points", 1.5),
    Proof("error points", "EIO, ENOSPC, …, 1 in 20 the daemon's", 300, "real.error_points", 1.5),
    Proof("power cuts", "real ones, on ext4 and xfs", 40, "real.power_cuts"),
    Proof("scarce", "disks, file sizes, memory, and failed syncs", 40, "real.scarce"),
    Proof("simulation", "seeds of the whole daemon, with faults", 500, "simulation.seeds", 3, share=4),
    Proof("determinism", "the same seeds in 3 fresh processes", 60, "simulation.determinism", 1, share=0),
    Proof("properties", "2 state machines, 2,000 examples each", 4000, "properties", 2.5),
    Proof("fuzz", "inputs for the wire and for decode_call", 5_000_000, "wire.fuzz", 5, share=4),
    Proof("hostile", "clients beside a good one", 500, "wire.hostile"),
    Proof("jobs", "through kills of daemon, shim and agent", 200, "jobs", 4),
    Proof("systemd", "cases of a real systemd --user", 8, "service", 2, share=0),
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
        importlib.import_module(f"tests.faults.{proof.module}").prove(tally)
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
