"""Crashes of `golemd --repair`, the only way past damage: at every moment there is a way on, and nothing is gone.

After a crash the journal starts with exactly the records that the repair was to keep, or it is refused as before and
the repair can be repeated. Whatever was cut by then lies whole in a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from golemd.adapters.journal import JournalDamaged, repair
from golemd.adapters.journal.recovery import recover
from golemd.api.events import Record
from golemd.api.faults import Fault
from tests.adapters.journal.crashdisk import STATE, CrashDisk, Image
from tests.faults.journal.damages import LIMITS, a_journal, segments
from tests.faults.journal.steps import finish
from tests.faults.proof import Tally

COMMANDS: Final = 14
IMAGES: Final = 60  # of one moment


def _changed(image: Image) -> Image:
    first = min(segments(image))
    data = image[first]
    return {**image, first: data[: len(data) // 2] + b"?" + data[len(data) // 2 + 1 :]}


def _without_head(image: Image) -> Image:
    return {path: data for path, data in image.items() if path != "head"}


def _without_the_end(image: Image) -> Image:
    return {path: data for path, data in image.items() if path != max(segments(image))}


DAMAGES: Final[tuple[Callable[[Image], Image], ...]] = (_changed, _without_head, _without_the_end)


class Repairs:
    """Repairs one damaged journal and crashes at every moment of it."""

    def __init__(self, tally: Tally, image: Image, known: list[Record], seq: int) -> None:
        self.tally = tally
        self._image = image
        self._known = known[:seq]
        self._seq = seq
        self._seen: set[int] = set()

    def crash(self) -> None:
        """All crashes of the repair, and of its repetition after each of them."""
        for found in self._moments(self._image):
            if self._judge(found):
                for again in self._moments(found):
                    self._judge(again)

    def _moments(self, image: Image) -> list[Image]:
        """What may be found when a repair of this journal is cut short, or has ended."""
        disk = CrashDisk(image, waits=False)
        found: list[Image] = []

        def before(operation: str) -> None:
            if operation in ("fdatasync", "sync_folder"):
                found.extend(disk.images(IMAGES))

        disk.before = before
        finish(repair(STATE, self._seq, disk, LIMITS))
        found.extend(disk.images(IMAGES))
        return found

    def _judge(self, image: Image) -> bool:
        """Start from a disk that was not seen before; whether it has to be repaired again."""
        if (key := hash(frozenset(image.items()))) in self._seen:
            return False
        self._seen.add(key)
        self.tally.case()
        self._look_for_what_was_cut(image)
        disk = CrashDisk(image, waits=False)
        seen: list[Record] = []
        try:
            finish(recover(disk, STATE, LIMITS, seen.append))
        except JournalDamaged:
            self.tally.meet("repairs cut short, and repeated")
            return True
        except Fault as fault:
            self.tally.violation(f"after a repair that was cut short: {fault.message}")
            return False
        self.tally.meet("starts after a repair")
        self.tally.expect(seen == self._known, f"a repair to {self._seq} was cut short: {len(seen)} records start")
        return False

    def _look_for_what_was_cut(self, image: Image) -> None:
        copies = [(path, data) for path, data in image.items() if path.startswith("journal-before-repair-")]
        for path, data in self._image.items():
            if path.startswith(("journal/", "head")) and image.get(path) != data:
                kept = any(name.endswith(f"/{path}") and copy == data for name, copy in copies)
                self.tally.expect(kept, f"a repair was cut short: {path} has changed, and no copy of it is whole")
                self.tally.meet("repairs cut short after they had cut")


def crash_repairs(tally: Tally) -> None:
    """All crashes of the repairs of several damages."""
    image, known = a_journal("r", COMMANDS)
    for damage in DAMAGES:
        damaged = damage(image)
        with_end = [record.seq for record in known if not record.more]
        seq = with_end[2] if damage is not _without_the_end else _last_end(damaged, with_end)
        Repairs(tally, damaged, known, seq).crash()


def _last_end(image: Image, ends: list[int]) -> int:
    """The last end of a command that the segments hold."""
    lines = b"".join(segments(image).values()).count(b"\n")
    return max(seq for seq in ends if seq <= lines)
