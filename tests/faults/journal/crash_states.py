"""Every crash of the journal: after any operation of the scenarios, whatever of the unsynced bytes and names survives.

Each disk that may be found is started from. Nothing that was confirmed is missing, nothing else than what was staged is
there, in whole commands; no start is refused; what was cut is kept aside. The power also goes during those starts, and
again in the life after them, and during repairs. Equal disks are started from once, and counted once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from golemd.adapters.journal.recovery import recover
from golemd.api.events import JournalPruned, Record
from golemd.api.faults import Fault
from tests.adapters.journal.crashdisk import STATE, CrashDisk, Image
from tests.adapters.journal.kit import Tape
from tests.faults.journal.lives import Broken, Life, Script, Told, look, run, segments_of
from tests.faults.journal.repairs import crash_repairs
from tests.faults.journal.scenarios import SCENARIOS, Scenario, a_little, beginnings, wild
from tests.faults.journal.steps import finish
from tests.faults.proof import Tally

CHANGES: Final = frozenset({"append", "write_at", "truncate", "rename", "unlink", "fdatasync", "sync_folder"})
"""The operations between which a kill may make a difference."""
SYNCS: Final = frozenset({"fdatasync", "sync_folder"})
"""Whatever the power may do between two of these, it may do just before the second: unsynced is unsynced."""
IMAGES: Final = (240, 16, 6)  # of one moment: of a life, of a start after a crash, of a start after that
MUST_BE_MET: Final = (
    "torn ends cut and kept",
    "commands found that nobody was told of",
    "records of unfinished commands cut",
    "starts cut short by a second crash",
    "starts after a kill",
    "lives after a start",
    "repairs cut short, and repeated",
    "repairs cut short after they had cut",
    "starts after a repair",
    "starts from a snapshot",
    "starts of a pruned journal",
)


class Start(Struct, frozen=True):
    """What a start from a disk came to: how many records, the last one's hash; or why it was refused."""

    records: int = 0
    h: str = ""
    refused: str = ""


class Explorer:
    """Goes through scenarios and starts from every disk that it has not seen yet."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self._scenario = SCENARIOS[0]
        self._starts: dict[int, Start | None] = {}
        self._lived: set[int] = set()
        self._after: list[tuple[CrashDisk, list[Record]]] = []  # where a life goes on after a start

    def explore(self, scenario: Scenario) -> None:
        """All crashes of one scenario, of the starts after them, and of the lives after those."""
        self._scenario, self._lived = scenario, set()
        for life, script in beginnings(scenario):
            self._live(life, script, self._look)
        after, self._after = self._after, []
        for disk, records in after:
            self._live(Life(disk, Told(records, len(records)), scenario.limits), a_little, self._look_again)
            self.tally.meet("lives after a start")
        self._after.clear()  # one life after each is enough

    def _live(self, life: Life, script: Script, look: Callable[[str, CrashDisk, Told], None]) -> None:
        """One life, with a look at every moment of it. Without faults it must reach its end."""

        def before(operation: str) -> None:
            look(operation, life.disk, life.told)

        life.disk.before = before
        try:
            self._expect(run(life, script), "a life ended early, on a disk without faults")
        except (AssertionError, Broken) as error:
            self._expect(False, str(error))
        look("sync_folder", life.disk, life.told)

    # --- moments

    def _look(self, operation: str, disk: CrashDisk, told: Told) -> None:
        """Everything that may be found when a daemon is killed before this operation, or the power goes."""
        if operation in SYNCS:
            for image in disk.images(IMAGES[0]):
                self._judge(image, told, 0)
        if operation in CHANGES:
            killed = disk.killed()
            killed.waits = False
            self.tally.case()
            self.tally.meet("starts after a kill")
            self._compare(self._start(killed, killed.content(), told, 1, cached=True), told)

    def _look_again(self, operation: str, disk: CrashDisk, told: Told) -> None:
        if operation in SYNCS:
            for image in disk.images(IMAGES[1]):
                self._judge(image, told, 1)

    def _judge(self, image: Image, told: Told, depth: int) -> None:
        """Start from a disk, unless that was done before, and compare with what is known."""
        self.tally.meet("disks, equal ones counted again")
        key = _key(image)
        if key not in self._starts:
            self.tally.case()
            self.tally.meet("starts cut short by a second crash", depth > 0)
            self._starts[key] = None  # a start from here is under way; a crash may lead back to the same disk
            self._starts[key] = self._start(CrashDisk(image, waits=False), image, told, depth)
        if (start := self._starts[key]) is not None:
            self._compare(start, told)

    # --- starts

    def _start(self, disk: CrashDisk, image: Image, told: Told, depth: int, *, cached: bool = False) -> Start:
        """One start, and all crashes during it. `cached`: not all of the image is on the device before it is over."""
        tape = Tape()
        moments: list[list[Image]] = []

        def before(operation: str) -> None:
            if operation in SYNCS and depth + 1 < len(IMAGES) and not disk.settled:
                moments.append(list(disk.images(IMAGES[depth + 1])))

        disk.before = before
        try:
            end = finish(recover(disk, STATE, self._scenario.limits, tape.take, tape.codec)).end
        except Fault as fault:
            return Start(refused=fault.message)
        seen = tape.records
        self.tally.meet("starts from a snapshot", tape.restored > 0)
        self._expect(end.seq == len(seen), f"a start hands out {len(seen)} records and goes on after {end.seq}")
        self._inspect(disk, image, seen)
        shown = Told(told.records, len(seen))
        for images in moments:
            for found in images:
                self._judge(found, told if cached else shown, depth + 1)
        for found in disk.images(IMAGES[-1]):
            self._judge(found, shown, depth + 1)
        self._remember(disk, seen)
        return Start(len(seen), seen[-1].h if seen else "")

    def _inspect(self, disk: CrashDisk, image: Image, seen: list[Record]) -> None:
        """What a stranger finds after a start: the records that it handed out, and a copy of whatever was cut."""
        try:
            found = look(disk.content())
        except AssertionError as error:
            self._expect(False, f"after a start, a line that does not follow: {error}")
            return
        gone = len(seen) - len(found.records)
        same = [record["h"] for record in found.records] == [record.h for record in seen[gone:]]
        self._expect(same, "the files do not hold the records that a start has handed out")
        permitted = max((each.data.first for each in seen if isinstance(each.data, JournalPruned)), default=1)
        self._expect(0 <= gone < permitted, f"{gone} records are gone, and {permitted - 1} were to be pruned")
        self.tally.meet("starts of a pruned journal", gone > 0)
        self._expect(found.head <= len(seen), f"the head names {found.head}, and there are {len(seen)}")
        after = disk.durable()
        kept = {data for path, data in after.items() if ".broken" in path}
        for path, data in segments_of(image):
            if cut := data[len(after.get(path, b"")) :]:
                self._expect(cut in kept, f"{len(cut)} bytes of {path} were cut and not kept")
                self.tally.meet("torn ends cut and kept")
                self.tally.meet("records of unfinished commands cut", b'"more":true' in cut)

    def _remember(self, disk: CrashDisk, seen: list[Record]) -> None:
        """A life is to go on from here, unless one did from the same files."""
        files = {path: data for path, data in disk.durable().items() if ".broken" not in path}
        if (key := _key(files)) not in self._lived:
            self._lived.add(key)
            found = CrashDisk(files)
            found.room, found.reserves = None if disk.room is None else 1 << 20, disk.reserves
            self._after.append((found, seen))

    def _compare(self, start: Start, told: Told) -> None:
        """What was handed out is all that was confirmed, then perhaps more, in whole commands, and nothing else."""
        known, count = told.records, start.records
        if start.refused:
            self._expect(False, f"a start was refused: {start.refused}")
        elif count > len(known) or start.h != (known[count - 1].h if count else ""):
            self._expect(False, f"record {count} is not the one that was staged")
        else:
            self._expect(count >= told.confirmed, f"{told.confirmed} records were confirmed, {count} are there")
            self._expect(not count or not known[count - 1].more, f"record {count} is not the end of its command")
            self.tally.meet("commands found that nobody was told of", count > told.confirmed)

    def _expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.tally.violation(f"{self._scenario.name}: {what}")


def _key(image: Image) -> int:
    """What stands for a disk among those that were seen."""
    return hash(frozenset(image.items()))


def prove(tally: Tally) -> None:
    """All scenarios and repairs; then wild scenarios, until the budget is used up."""
    explorer = Explorer(tally)
    for scenario in SCENARIOS:
        explorer.explore(scenario)
    crash_repairs(tally)
    seed = tally.budget.seed
    while tally.goes_on and not tally.violated:
        explorer.explore(wild(seed))
        seed += 1
    tally.must_have_met(MUST_BE_MET)
