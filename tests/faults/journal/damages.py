"""Damage to a journal all of which was durable: changed bytes, lines and segments deleted, doubled, swapped, foreign.

A start refuses it, or hands out every record as it was written. Less, or something else, is a violation; so is a
`--check` that says otherwise than the start.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from golemd.adapters.journal import JournalDamaged, JournalNewer, Limits, check
from golemd.adapters.journal.line import seal
from golemd.adapters.journal.recovery import recover
from golemd.api.events import Record
from golemd.api.faults import Fault
from tests.adapters.journal.crashdisk import STATE, CrashDisk, Image
from tests.adapters.journal.kit import drafts
from tests.adapters.journal.nodes import SECTOR
from tests.faults.journal.lives import Life, Script, Told, run
from tests.faults.journal.steps import finish
from tests.faults.outside import SEAL
from tests.faults.proof import Tally

LIMITS: Final = Limits(segment_bytes=4000, reserve_bytes=8192, chunk_bytes=3000)
COMMANDS: Final = 26
CHECKED: Final = 16  # every so many-eth damage is shown to `--check` as well
MUST_BE_MET: Final = ("refused as damaged", "refused as newer", "harmless", "shown to --check")
FORGERIES: Final = (
    (b'"reason":"m', b'"reason":"M'),
    (b'"seq":1', b'"seq":2'),
    (b'"d":', b'"d":1'),
    (b'"prev":"', b'"prev":"0'),
    (b',"more":true', b""),
    (b'"v":1', b'"v":2'),
    (b'"type":"daemon.stopped"', b'"type":"daemon.dreamt"'),
)

Damage = tuple[str, Image]


def a_journal(letter: str, commands: int = COMMANDS) -> tuple[Image, list[Record]]:
    """A journal of some segments and two lives: its files, and every record."""
    disk, told = CrashDisk(), Told()
    for part in (0, 1):
        assert run(Life(disk, told, LIMITS), _writer(letter, range(part, commands, 2)))
        disk = disk.killed()
    return disk.content(), told.records


def _writer(letter: str, numbers: range) -> Script:
    async def script(life: Life) -> None:
        for number in numbers:
            await life.commit(drafts(*([f"{letter}{number}"] * (1 + number % 3))))
        await life.close()

    return script


def bytes_changed(image: Image) -> Iterator[Damage]:
    """Every byte of every file: one bit, to nothing, and to a line feed or from one."""
    for path, data in files_of(image).items():
        for at, byte in enumerate(data):
            for new in {byte ^ 1, byte ^ 0x20, 0, 0x20 if byte == 0x0A else 0x0A} - {byte}:
                yield f"{path} byte {at} is {new}", {**image, path: data[:at] + bytes([new]) + data[at + 1 :]}


def files_shortened(image: Image) -> Iterator[Damage]:
    """Every file, cut at every byte; every file missing."""
    for path, data in files_of(image).items():
        for size in range(len(data)):
            yield f"{path} ends at {size}", {**image, path: data[:size]}
        yield f"{path} is missing", {name: data for name, data in image.items() if name != path}


def lines_moved(image: Image, foreign: Image) -> Iterator[Damage]:
    """Lines of segments deleted, doubled, swapped, joined, split, and replaced by those of another journal."""
    for path, data in segments(image).items():
        lines = data.splitlines(keepends=True)
        others = foreign.get(path, data).splitlines(keepends=True)
        for at, line in enumerate(lines):
            before, after = lines[:at], lines[at + 1 :]
            for what, new in {
                "deleted": [],
                "doubled": [line, line],
                "joined to the next": [line[:-1]],
                "split": [line[: len(line) // 2] + b"\n" + line[len(line) // 2 :]],
                "empty": [b"\n"],
                "ended as elsewhere": [line[:-1] + b"\r\n"],
                "another journal's": others[at : at + 1] or others[-1:],
                "the first one": lines[:1],
                "followed by nothing readable": [line, b"{}\n"],
            }.items():
                if new != [line]:
                    yield f"{path} line {at} is {what}", {**image, path: b"".join([*before, *new, *after])}
        for one, other in combinations(range(len(lines)), 2):
            moved = list(lines)
            moved[one], moved[other] = moved[other], moved[one]
            yield f"{path} lines {one} and {other} are swapped", {**image, path: b"".join(moved)}


def sectors_lost(image: Image) -> Iterator[Damage]:
    """Sectors of every file as zeros, left out, doubled, swapped, and filled with another's bytes."""
    for path, data in files_of(image).items():
        sectors = [data[at : at + SECTOR] for at in range(0, len(data), SECTOR)]
        for at, sector in enumerate(sectors):
            for other in (b"", bytes(len(sector)), sector * 2, *(each[: len(sector)] for each in sectors)):
                if other != sector:
                    changed = b"".join([*sectors[:at], other, *sectors[at + 1 :]])
                    yield f"{path} sector {at} is {other[:20]!r}…", {**image, path: changed}


def segments_moved(image: Image, foreign: Image) -> Iterator[Damage]:
    """Segments swapped, doubled, renamed, put together, and replaced by those of another journal; a foreign head."""
    found = segments(image)
    for one, other in combinations(found, 2):
        yield f"{one} and {other} are swapped", {**image, one: found[other], other: found[one]}
        yield f"{other} is {one}", {**image, other: found[one]}
        yield f"{one} holds {other} too", {**image, one: found[one] + found[other]}
    for path, data in found.items():
        number, first = path.removeprefix("journal/").removesuffix(".jsonl").split("-")
        for name in (f"{int(number, 16) + 9:016x}-{first}", f"{number}-{int(first, 16) + 1:016x}"):
            rest = {other: found for other, found in image.items() if other != path}
            yield f"{path} is named {name}", {**rest, f"journal/{name}.jsonl": data}
            yield f"{path} is there as {name} too", {**image, f"journal/{name}.jsonl": data}
        if path in foreign:
            yield f"{path} is another journal's", {**image, path: foreign[path]}
    yield "the head is another journal's", {**image, "head": foreign["head"]}
    yield "the segments are another journal's", {**image, **segments(foreign)}


def lines_forged(image: Image) -> Iterator[Damage]:
    """Lines that are sealed rightly and say something else than was written, such as an unknown type."""
    for path, data in segments(image).items():
        lines = data.splitlines(keepends=True)
        for at, line in enumerate(lines):
            body = line[: line.rindex(SEAL)]
            for old, new in FORGERIES:
                if old in body:
                    forged = seal(body.replace(old, new, 1)) + b"\n"
                    changed = b"".join([*lines[:at], forged, *lines[at + 1 :]])
                    yield f"{path} line {at} has {new!r}", {**image, path: changed}


def files_of(image: Image) -> Image:
    """Those of the files that count: segments and head."""
    return {**segments(image), "head": image["head"]}


def segments(image: Image) -> Image:
    return {path: data for path, data in sorted(image.items()) if path.startswith("journal/")}


def wild(image: Image, foreign: Image, dice: random.Random) -> Damage:
    """Some damage: several bytes, or a piece that is moved, doubled, lost or foreign."""
    path = dice.choice(list(segments(image)))
    data, other = image[path], dice.choice([*segments(image).values(), *segments(foreign).values()])
    start, size = dice.randrange(len(data)), dice.choice((1, 7, 300, SECTOR, 4096))
    piece = dice.choice((b"", bytes(size), dice.randbytes(size), other[dice.randrange(len(other)) :][:size]))
    return f"{path} from {start} on", {**image, path: data[:start] + piece + data[start + dice.choice((0, size)) :]}


class Damages:
    """Starts from damaged journals."""

    def __init__(self, tally: Tally, known: list[Record]) -> None:
        self.tally = tally
        self.known = known

    def start(self, damage: Damage) -> None:
        """One start: it is refused, or nothing is missing."""
        what, image = damage
        self.tally.case()
        seen: list[Record] = []
        refusal: Fault | None = None
        try:
            finish(recover(CrashDisk(image, waits=False), STATE, LIMITS, seen.append))
        except (JournalDamaged, JournalNewer) as fault:
            refusal = fault
            self.tally.meet("refused as damaged" if isinstance(fault, JournalDamaged) else "refused as newer")
        else:
            self.tally.meet("harmless")
            self.tally.expect(seen == self.known, f"{what}: accepted with {len(seen)} of {len(self.known)} records")
        if self.tally.cases % CHECKED == 0:
            self._check(what, image, refusal)

    def _check(self, what: str, image: Image, refusal: Fault | None) -> None:
        self.tally.meet("shown to --check")
        said: Fault | None = None
        try:
            check(STATE, CrashDisk(image, waits=False), LIMITS)
        except Fault as fault:
            said = fault
        same = (said and said.message) == (refusal and refusal.message)
        self.tally.expect(same, f"{what}: a start says {refusal!r}, --check says {said!r}")


def prove(tally: Tally) -> None:
    """Every damage of the kinds above to one journal; then wild ones, until the budget is used up."""
    image, known = a_journal("m")
    foreign, _ = a_journal("f")
    proof = Damages(tally, known)
    for damages in (
        segments_moved(image, foreign),
        lines_moved(image, foreign),
        lines_forged(image),
        bytes_changed(image),
        sectors_lost(image),
        files_shortened(image),
    ):
        for damage in damages:
            proof.start(damage)
    dice = random.Random(tally.budget.seed)
    while tally.goes_on and not tally.violated:
        proof.start(wild(image, foreign, dice))
    tally.must_have_met(MUST_BE_MET)
