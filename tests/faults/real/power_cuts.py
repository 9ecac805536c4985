"""The power goes while the journal is being written, on ext4 and on xfs: what was told of is on the device.

The file system is shut down by its own ioctl, which drops whatever was not flushed, the file system's journal included.
"""

from __future__ import annotations

import os
import random
import signal
from contextlib import ExitStack, suppress
from typing import Final

from tests.faults.proof import Tally
from tests.faults.real.mounts import Mounted, file_system
from tests.faults.real.places import KILLED, Place, Writers

KINDS: Final = ("ext4", "xfs")
COMMANDS: Final = 400  # of a life: more than it can record until the power goes
HEARD: Final = 150  # of what it tells before that, at most
FAILED: Final = 74
MUST_BE_MET: Final = (*(f"power cuts on {kind}" for kind in KINDS), "commands told of before a power cut", "starts cut")


def prove(tally: Tally) -> None:
    """Power cuts on one file system and the other in turn, until the budget is used up."""
    dice = random.Random(tally.budget.seed)
    with ExitStack() as stack:
        mounted = {kind: stack.enter_context(file_system(kind)) for kind in KINDS}
        writers = stack.enter_context(Writers())
        places = {kind: Place(writers, each.at / "state", tally) for kind, each in mounted.items()}
        for each in mounted.values():
            _sync(each)
        while tally.goes_on and not tally.violated:
            kind = KINDS[tally.cases % len(KINDS)]
            tally.case()
            _cut(tally, kind, mounted[kind], places[kind], dice)
    tally.must_have_met(MUST_BE_MET)


def _sync(mounted: Mounted) -> None:
    folder = os.open(mounted.at, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _cut(tally: Tally, kind: str, mounted: Mounted, place: Place, dice: random.Random) -> None:
    """One life that is cut off: by then it has told of so many commands, or of none."""
    what = f"power cut {tally.cases} on {kind}"
    before = len(place.told)
    place.begin(commands=COMMANDS, at_once=dice.choice((1, 3, 8)), text_bytes=dice.choice((10, 300)))
    status = None
    for _ in range(dice.choice((0, 0, 1, 2, dice.randint(3, HEARD), dice.randint(3, HEARD)))):
        if (status := place.hear()) is not None:
            break
    mounted.cut()
    if status is None:
        if dice.random() < 0.5:
            with suppress(ProcessLookupError):
                os.kill(place.pid, signal.SIGKILL)
        status = place.end()
        tally.expect(status in (FAILED, KILLED), f"{what}: the writer ended with {status}")
    place.quiet(what)
    tally.meet("starts cut", place.ready < 0)
    tally.meet("commands told of before a power cut", len(place.told) - before)
    tally.meet(f"power cuts on {kind}")
    mounted.find_again()
    place.start_again(what)
