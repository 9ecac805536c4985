"""What runs short under the journal's writer: the disk, the size of a file, memory, and the truth about a failed sync.

A full disk refuses commands and goes on; the others end the writer. What was told of is there in all cases.
"""

from __future__ import annotations

import os
import random
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.faults.proof import Tally
from tests.faults.real.mounts import MIB, file_system, fill, require, small_disk
from tests.faults.real.places import Place, Writers
from tests.faults.real.tracing import traced

FAILED: Final = 74
HUNG: Final = "hung without memory"
LITTLE: Final = "lives with little memory"
SMALL: Final = MIB
MUST_BE_MET: Final = (
    *(
        "refused on a full disk",
        "stopped at a file's size limit",
        "ended without memory",
        "ended by a sync that failed",
    ),
    "caches that had shown more than the device held",
)


def full_disk(tally: Tally, writers: Writers, dice: random.Random) -> None:
    """A disk fills while commands come: they are refused, and later there is room again."""
    with small_disk(SMALL) as disk:
        place = Place(writers, disk / "state", tally)
        place.begin(commands=200, at_once=1, text_bytes=dice.choice((500, 3000)))
        for _ in range(dice.randint(2, 20)):
            place.hear()
        filler = fill(disk)
        tally.expect(place.end() == 0, "a full disk has ended the writer")
        tally.meet("refused on a full disk", len(place.refused))
        place.look("a full disk")
        filler.unlink()
        place.quiet("a full disk")
        place.start_again("a disk that was full")


def file_size(tally: Tally, writers: Writers, dice: random.Random) -> None:
    """No file may grow beyond a size."""
    with small_disk(16 * MIB) as disk:
        place = Place(writers, disk / "state", tally)
        limit = dice.randint(400, 30_000)
        status = place.live(lambda pid: _limit(pid, resource.RLIMIT_FSIZE, limit), text_bytes=dice.choice((40, 900)))
        tally.expect(status in (0, FAILED), f"with files of {limit} bytes at most the writer ended with {status}")
        tally.meet("stopped at a file's size limit", status == FAILED or bool(place.refused))
        place.quiet("a limit of file sizes")
        place.start_again(f"files of {limit} bytes at most")


def memory(tally: Tally, writers: Writers, dice: random.Random) -> None:
    """The address space is limited to what is in use, and some more."""
    with small_disk(64 * MIB) as disk:
        place = Place(writers, disk / "state", tally)
        more = dice.randint(0, 12 * MIB)
        try:
            status = place.live(
                lambda pid: _limit(pid, resource.RLIMIT_AS, _address_space(pid) + more), text_bytes=200_000, at_once=6
            )
        except TimeoutError:
            tally.meet(HUNG)
            tally.expect(_is_rare(tally), f"lives with little memory often hang: {more} bytes, {_where(place.pid)}")
            os.kill(place.pid, signal.SIGKILL)  # as the watchdog does
            status = place.end()
        tally.meet(LITTLE)
        tally.meet("ended without memory", status != 0)
        writers.said()  # it may say what it likes about that
        place.start_again(f"{more} bytes of memory")


def failed_sync(tally: Tally, writers: Writers, dice: random.Random) -> None:
    """A sync fails and nothing of it is written, though the cache shows it; then the device alone is left."""
    with file_system("ext4") as mounted:
        place = Place(writers, mounted.at / "state", tally)
        tally.expect(place.live(commands=4) == 0, "a plain life did not end well")
        os.sync()
        with traced("fdatasync", f"fdatasync:error=EIO:when={dice.randint(1, 9)}") as attach:
            status = place.live(attach, commands=60, at_once=1, text_bytes=3000, segment_bytes=64 * MIB)
        tally.expect(status == FAILED, f"a sync that failed has ended the writer with {status}")
        tally.meet("ended by a sync that failed")
        place.look("a failed sync")
        seen = _bytes(place.state)
        mounted.cut()
        mounted.find_again()
        tally.meet("caches that had shown more than the device held", _bytes(place.state) < seen)
        place.quiet("a failed sync")
        place.start_again("a failed sync, seen from the device")


def _is_rare(tally: Tally) -> bool:
    """Whether no more lives hang than Python itself lets hang: it waits for ever for a thread that ran out of memory
    before it gave its first sign, or before it handed over its result. Some in a thousand lives come to that.
    """
    return tally.met[HUNG] <= 2 + tally.met[LITTLE] // 50


def _where(pid: int) -> str:
    """Where each thread of a process waits, as the kernel names it."""
    tasks = Path("/proc", str(pid), "task").iterdir()
    return ", ".join(f"{(task / 'comm').read_text().strip()} in {(task / 'wchan').read_text()}" for task in tasks)


def _bytes(state: Path) -> int:
    return sum(file.stat().st_size for file in (state / "journal").iterdir())


SHORTAGES: Final[tuple[Callable[[Tally, Writers, random.Random], None], ...]] = (
    full_disk,
    file_size,
    memory,
    failed_sync,
)


def prove(tally: Tally) -> None:
    """One shortage after the other, until the budget is used up."""
    require("strace")
    dice = random.Random(tally.budget.seed)
    with Writers() as writers:
        while tally.goes_on and not tally.violated:
            tally.case()
            SHORTAGES[tally.cases % len(SHORTAGES)](tally, writers, dice)
    tally.must_have_met(MUST_BE_MET)


def _limit(pid: int, what: int, most: int) -> None:
    resource.prlimit(pid, what, (most, most))


def _address_space(pid: int) -> int:
    pages = int(Path("/proc", str(pid), "statm").read_text().split()[0])
    return pages * resource.getpagesize()
