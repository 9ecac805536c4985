"""What is durable, seen from outside: it reads the disk below the journal, and folds what it finds, from zero."""

from __future__ import annotations

from typing import Final

import trio

from golemd.adapters.journal.line import decode
from golemd.api.events import Record
from golemd.core.evolve import fold
from golemd.core.state import State
from tests.core import full_scan
from tests.core.world import picture
from tests.faults.simulation.disk import SimDisk
from tests.faults.simulation.world import World

COMPARED: Final = 0.05  # of all looks, at which live and durable state are compared


class Witness:
    """Knows every record that has become durable, as soon as it has, and the state that they make."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read: dict[str, int] = {}  # bytes of each segment
        self.state = State()
        self.records: list[Record] = []
        self._news = trio.Event()

    def look(self, disk: SimDisk) -> None:
        """Something was flushed; what a daemon finds of another one counts when it has looked through it."""
        life = self._world.life
        if life is None or life.engine is None:
            return
        for name, file in disk.segments()[-2:]:
            start = self._read.get(name, 0)
            if len(file.durable) > start:
                end = file.durable.rfind(b"\n") + 1
                self._read[name] = max(end, start)
                self._take(file.durable[start:end])
        if self._world.chance(COMPARED):
            self.compare(life.engine.state)

    async def news(self) -> Record:
        """The newest record, as soon as there is another one."""
        await self._news.wait()
        return self.records[-1]

    def compare(self, live: State) -> None:
        """Where all is durable, the live state is what the journal says."""
        if live.seq != self.state.seq:
            return
        one, other = picture(live), picture(self.state)
        if one != other:
            names = ", ".join(name for name in one if one[name] != other[name])
            self._world.broken(f"the state is not what {live.seq} records say: {names}")
        same = full_scan.kept_index(live) == full_scan.index_of(live)
        self._world.promises.expect(same, f"at record {live.seq} the index is not what a full scan finds")

    def starts_with(self, disk: SimDisk, state: State) -> None:
        """A daemon has read the journal: nothing that was durable is gone, and its state is what the records say."""
        content = {name: bytes(file.data) for name, file in disk.segments()}
        records = [decode(line) for data in content.values() for line in data.splitlines()]
        first = records[0].seq if records else self.state.first
        may_go = first <= self.state.first or self.state.seq == 0
        self._world.promises.expect(may_go, f"the journal begins with record {first}, and nobody has pruned it so far")
        known = [record.h for record in self.records[first - 1 :]]
        kept = [record.h for record in records[: len(known)]] == known
        self._world.promises.expect(kept, f"of {len(self.records)} durable records not all are left: {len(records)}")
        if first > 1:
            self._world.meet("starts from a pruned journal")
        self._read = {name: len(data) for name, data in content.items()}
        for record in records[len(known) :]:
            self._fold(record)
        self._world.promises.expect(
            state.seq == self.state.seq, f"it starts from {state.seq} of {self.state.seq} records"
        )
        self.compare(state)
        self._world.promises.are_kept(self.state)

    def _take(self, data: bytes) -> None:
        for line in data.splitlines():
            self._fold(decode(line))

    def _fold(self, record: Record) -> None:
        self._world.tell("journal", f"{record.seq} {record.type} {record.item} {record.h[:8]}")
        self._world.promises.before(record, self.state)
        self.records.append(record)
        fold(self.state, record)
        self._world.promises.after(record, self.state)
        self._news.set()
        self._news = trio.Event()
