"""An error at each operation of the journal, once and for ever, before and after it took effect.

Whichever operation fails, also one of a start: nothing that was confirmed is missing afterwards, whether the next
daemon finds the caches, or only what the device holds. A write or a sync that has failed is the end of that daemon;
not so of a snapshot, which is no loss.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Final

from msgspec import Struct

from golemd.adapters.journal.recovery import recover
from golemd.adapters.journal.snapshots import FOLDER as SNAPSHOTS
from golemd.api.faults import Fault
from tests.adapters.journal.crashdisk import STATE, CrashDisk
from tests.adapters.journal.kit import Tape
from tests.faults.journal.lives import Broken, Life, Script, Told, run
from tests.faults.journal.scenarios import SCENARIOS, Scenario, beginnings, wild
from tests.faults.journal.steps import finish
from tests.faults.proof import Tally

CODES: Final = (errno.EIO, errno.ENOSPC)
MORE_CODES: Final = (errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENOMEM)
FATAL: Final = frozenset({"append", "write_at", "fdatasync", "sync_folder"})
LATE: Final = FATAL | {"make_folder", "open", "truncate", "rename", "unlink", "symlink"}
"""The operations that may have taken effect when they say that they failed."""
OF_A_SNAPSHOT: Final = " of a snapshot"
SPARED: Final = (
    "make_folder",
    "names",
    "open",
    "append",
    "fdatasync",
    "close",
    "rename",
    "sync_folder",
    "unlink",
    "read",
)
"""What may fail of a snapshot, and the daemon goes on."""
CRASHES: Final = 3  # looked at after each error, beside the disk as the next process finds it
MUST_BE_MET: Final = (
    *(f"{name} failed" for name in sorted(LATE | {"read", "names", "size", "close", "reserve", "free_bytes"})),
    *(f"{name}{OF_A_SNAPSHOT} failed" for name in SPARED),
    "starts that failed",
    "lives that went on",
)


class Error(Struct, frozen=True):
    """Operation `number` of a life fails, and with `for_ever` every later one. `late`: after it took effect."""

    number: int
    code: int
    for_ever: bool
    late: bool = False


def errors(operations: list[str], codes: tuple[int, ...]) -> Iterator[Error]:
    """Every error of a life that does these operations."""
    for (number, name), code, for_ever in product(enumerate(operations), codes, (False, True)):
        yield Error(number, code, for_ever)
        if name in LATE and code == errno.EIO:
            yield Error(number, code, for_ever, late=True)


def inject(disk: CrashDisk, error: Error) -> list[str]:
    """Have the disk fail so; the names of the operations that did."""
    failed: list[str] = []
    begun = len(disk.operations)

    def fails(name: str) -> None:
        at = len(disk.operations) - begun - 1
        if at == error.number or (error.for_ever and at > error.number):
            failed.append(f"{name}{OF_A_SNAPSHOT}" if SNAPSHOTS in disk.place.parts else name)
            raise OSError(error.code, os.strerror(error.code))

    def before(name: str) -> None:
        if not (error.late and name in LATE):
            fails(name)

    disk.before = before
    if error.late:
        disk.after = fails
    return failed


class Errors:
    """Goes through the lives of scenarios and fails each of their operations."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def go_through(self, scenario: Scenario, codes: tuple[int, ...] = CODES) -> None:
        """All errors of one scenario."""
        for before, script in beginnings(scenario):
            plain = _again(before)
            run(plain, script)
            for error in errors(plain.disk.operations, codes):
                self._fail(_again(before), script, error, f"{scenario.name}: {error}")

    def _fail(self, life: Life, script: Script, error: Error, name: str) -> None:
        failed = inject(life.disk, error)
        finished = False
        try:
            finished = run(life, script)
        except AssertionError as problem:
            self.tally.expect(bool(failed), f"{name}: {problem}")
        except Broken as promise:
            self.tally.violation(f"{name}: {promise}")
        self.tally.case()
        for operation in failed[:1]:
            self.tally.meet(f"{operation} failed")
            spared = operation.endswith(OF_A_SNAPSHOT)
            self.tally.meet("snapshots that failed, and no loss", spared and finished)
            self.tally.expect(
                not finished or operation not in FATAL, f"{name}: {operation} failed, and the daemon went on"
            )
        self.tally.meet("starts that failed", not hasattr(life, "journal"))
        self.tally.meet("lives that went on", finished)
        life.disk.before = life.disk.after = lambda operation: None
        dice = Random(error.number)
        for disk in (life.disk.killed(), *(life.disk.crash(dice) for _ in range(CRASHES))):
            self._start(disk, life, name)

    def _start(self, disk: CrashDisk, life: Life, name: str) -> None:
        """The next start, on a disk that has recovered, and the one after that, which has the device only."""
        told = life.told
        for _ in range(2):
            disk.waits, disk.room = False, None
            tape = Tape()
            try:
                finish(recover(disk, STATE, life.limits, tape.take, tape.codec))
            except Fault as fault:
                self.tally.violation(f"{name}: the next start was refused: {fault.message}")
                return
            seen = tape.records
            self.tally.expect(seen == told.records[: len(seen)], f"{name}: what is found was never staged")
            self.tally.expect(len(seen) >= told.confirmed, f"{name}: {told.confirmed} confirmed, {len(seen)} found")
            told = Told(seen, len(seen))
            disk = CrashDisk(disk.durable())


def _again(life: Life) -> Life:
    """The same life on a disk of its own, before it begins."""
    return Life(life.disk.killed(), Told(life.told.records, life.told.confirmed), life.limits)


def prove(tally: Tally) -> None:
    """All scenarios with the usual errors; then with others, and wild ones, until the budget is used up."""
    proof = Errors(tally)
    for scenario in SCENARIOS:
        proof.go_through(scenario)
    seed = tally.budget.seed
    while tally.goes_on and not tally.violated:
        proof.go_through(wild(seed), (*CODES, *MORE_CODES))
        seed += 1
    tally.must_have_met(MUST_BE_MET)
