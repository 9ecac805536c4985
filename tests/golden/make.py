"""Makes the golden files of this release: `python -m tests.golden.make`. Released ones are never touched again.

A life of two projects is driven by dice through everything that people, processes and time may do, then through what
the dice seldom meet; its records are written by the journal itself. The wire's transcript has one request and one
reply of every method. All values are made up: no path, name or time of the machine is in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

import golemd
from golemd.adapters.disk import RealDisk
from golemd.adapters.journal import Codec, Journal, Limits
from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Budget
from golemd.api.events import Draft, Record
from golemd.api.faults import Conflict
from golemd.api.model import Status
from golemd.api.wire import encode_error, encode_notification, encode_request, encode_response
from golemd.core import commands as cmd
from golemd.core import snapshot, times
from golemd.core.configuration import digest
from golemd.core.evolve import fold
from golemd.core.state import State
from tests.core.test_machine import PLACES, Daemon, the_projects
from tests.core.world import FAILS, End, World, config, phase
from tests.golden.examples import example, plain

HERE: Final = Path(__file__).parent
SEED: Final = 52
STEPS: Final = 350
FIRST_LIFE: Final = 2  # records in the first segment
SNAPSHOT_BEFORE_END: Final = 20  # records after the snapshot


def a_life() -> list[Record]:
    """Records of every type, as they follow from each other."""
    world = the_projects()
    calm = World()
    vars(calm).update(vars(world))
    _trip_the_breaker(calm)
    _raise_a_budget(calm)
    vars(world).update(vars(calm))
    _drive(world, random.Random(SEED), STEPS)
    world.happen(ev.JournalRepaired(file="f", offset=7, cut_bytes=9, copy="f.broken", last_seq=5), project="")
    world.happen(ev.JournalPruned(first=FIRST_LIFE + 1, segments=1, bytes=900), project="")
    world.apply(cmd.ReportDaemonStopped(reason="end"))
    return world.records


def _drive(world: World, dice: random.Random, steps: int) -> None:
    daemon = Daemon()
    daemon.world = world
    for project in ("demo", "two"):
        world.add(project=project)
        world.start(project=project)
    for _ in range(steps):
        dice.choice(_rules(daemon, dice))()


def _rules(daemon: Daemon, dice: random.Random) -> list[Callable[[], None]]:
    """What may happen next, with what the dice say."""
    some, maybe = dice.randrange(10), dice.random() < 0.5
    project, word = dice.choice(["demo", "two"]), dice.choice(["because", "feature", "quick"])
    to = dice.choice(["", "", "build", "ship", "one", "last", "scope"])
    brought = [(dice.randrange(10), dice.choice(list(Status)), dice.choice(PLACES), some) for _ in range(some % 4)]
    gate = partial(daemon.decide_gate, gate=some, changed=dice.choice(["", "", "shown"]), text=word)
    return [
        partial(daemon.add, project=project, priority=some % 4 - 1, on=dice.randrange(10), depends=maybe),
        partial(daemon.bring, project=project, some=brought),
        partial(daemon.edit, item=some, on=dice.randrange(10)),
        partial(daemon.cancel, item=some, seldom=dice.randrange(10)),
        partial(daemon.reopen, item=some),
        partial(daemon.start, project=project, cap=some + 1, continuous=maybe),
        partial(daemon.start_on_targets, first=some, second=dice.randrange(10), auto=maybe, rest=dice.random() < 0.5),
        partial(daemon.triage, named=maybe, item=some),
        partial(daemon.pause, item=some, after_phase=maybe, seldom=dice.randrange(10)),
        partial(daemon.advance, item=some, to=to, force=maybe),
        partial(daemon.resume, item=some, seldom=dice.randrange(10)),
        partial(daemon.stop, project=project, now=maybe),
        partial(gate, option=dice.randrange(10)),
        partial(gate, option=0),
        partial(daemon.configure, pre=maybe, quick=dice.random() < 0.5, triage=dice.random() < 0.5, size="large"),
        partial(daemon.process_ends, number=some, end=dice.randrange(100)),
        partial(daemon.work_goes_on, ends=[dice.randrange(41) for _ in range(dice.randrange(12))]),
        partial(daemon.effect, number=some),
        partial(daemon.trouble, number=some, doing=dice.choice(["preparing", "committing"])),
        partial(daemon.a_day_passes, hinders=maybe),
        partial(daemon.a_worktree_vanishes, number=some),
        partial(daemon.not_spawned, number=some, usable=maybe),
        partial(daemon.time_passes, seconds=dice.choice([0, 1, 5, 400, 20_000])),
        daemon.plan_to_the_end,
        daemon.restart,
        partial(daemon.stop_the_daemon, how=dice.choice(["end", "keep", "", "", ""])),
    ]


def _trip_the_breaker(world: World) -> None:
    """A project in which one failure is too many; it is begun again, and then removed."""
    world.project(config("three", ("build",), circuit_breaker=1, max_retries=0))
    item = world.add(project="three", token="golden add")
    world.script = {"build": [FAILS]}
    for _ in range(2):
        world.start(project="three")
        world.settle()
    _be_rid_of(world, "three", item)


def _raise_a_budget(world: World) -> None:
    """An item for which too much was spent, and a human who lets it go on."""
    world.project(config("four", (phase("build"),), budget=Budget(item_usd=1.0)))
    item = world.add(project="four")
    world.script = {"build": [End(result={"result": "subphase_complete"}, said=cmd.Said(session="s", cost_usd=1.5))]}
    world.start(project="four")
    world.settle()
    world.ask(calls.GateDecide(gate=world.gate(item).id, option="raise", text="2.00", token="golden raise"))
    world.settle()
    _be_rid_of(world, "four", item)


def _be_rid_of(world: World, project: str, item: str) -> None:
    if item in world.state.items:
        world.ask(calls.ItemCancel(id=item))
    world.settle()
    world.ask(calls.ProjectRemove(project=project))


# --- the journal -------------------------------------------------------------------------------------------------


class Clock:
    """Says when the record was made that is to be written next."""

    def __init__(self) -> None:
        self.now_us = 0

    def __call__(self) -> int:
        return self.now_us


async def write_journal(state_dir: Path, records: Sequence[Record]) -> State:
    """Write records as two lives of a daemon do, with a snapshot near the end and one at the end; the last state."""
    state, left = State(), list(commands_of(records))
    near_the_end = next(command[-1].seq for command in left if command[-1].seq >= len(records) - SNAPSHOT_BEFORE_END)
    for last in (FIRST_LIFE, len(records)):
        clock = Clock()
        codec = Codec(f"golemd {golemd.__version__}", lambda data: None)
        journal = await Journal.open(state_dir, RealDisk(), clock, Limits(), lambda record: None, codec=codec)
        async with trio.open_nursery() as nursery:
            await nursery.start(journal.run)
            while left and state.seq < last:
                command = left.pop(0)
                clock.now_us = times.micros(command[0].ts)
                drafts = [Draft(each.data, each.project, each.item, each.cause) for each in command]
                for record in journal.stage(drafts, body=command[0].body):
                    fold(state, record)
                await journal.durable(journal.seq)
                if state.seq in (near_the_end, len(records)):
                    header = journal.standing(state.first)
                    assert header is not None
                    assert await journal.keep_snapshot(header, snapshot.pieces(snapshot.picture(state)))
            await journal.aclose()
            nursery.cancel_scope.cancel()
    (state_dir / "journal.jsonl").unlink()
    return state


def commands_of(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records of one command after the other."""
    command: list[Record] = []
    for record in records:
        command.append(record)
        if not record.more:
            yield command
            command = []


# --- the wire ----------------------------------------------------------------------------------------------------


def transcript() -> tuple[bytes, list[dict[str, Any]]]:
    """A request and its answer for every method, every notification, an error; as bytes, and what they say."""
    sent, said = b"", list[dict[str, Any]]()
    for msgid, (method, call) in enumerate(calls.CALLS.items()):
        params = example(call) | ({"token": "golden"} if "token" in call.__struct_fields__ else {})
        result = example(calls.reply_type(call))
        sent += encode_request(msgid, method, params) + encode_response(msgid, result)
        said.append({"method": method, "params": plain(params), "result": plain(result)})
    for method, fields in calls.describe()["notifications"].items():
        payload = {name.strip(): f"the {name.strip()}" for name in fields.strip("{}").split(",")}
        sent += encode_notification(method, payload)
        said.append({"notification": method, "payload": payload})
    fault = Conflict("golden", "A message.", "A hint.", seq=7)
    return sent + encode_error(99, fault), [*said, {"error": "golden", "class": "conflict", "hint": "A hint."}]


def make(folder: Path) -> None:
    """Make the files of this release in a folder that does not exist yet."""
    folder.mkdir()
    records = a_life()
    missing = ev.EVENTS.keys() - {record.type for record in records}
    assert not missing, f"no record of {missing}"
    (folder / "state").mkdir()
    state = trio.run(write_journal, folder / "state", records)
    sent, said = transcript()
    (folder / "wire.msgpack").write_bytes(sent)
    (folder / "wire.json").write_bytes(msgspec.json.format(msgspec.json.encode(said)) + b"\n")
    whole = b"".join(snapshot.pieces(snapshot.picture(state)))
    found = {"records": state.seq, "digest": digest(msgspec.msgpack.decode(whole))}
    (folder / "expected.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")


if __name__ == "__main__":
    make(HERE / golemd.__version__)
