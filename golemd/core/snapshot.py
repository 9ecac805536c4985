"""The state as bytes, and back: what a replay can begin with instead of the journal's first record.

`picture` is what the state holds at one moment, taken at once and cheaply, for its nouns are frozen; `pieces` turns it
into one MessagePack map, a slice at a time, so that nobody waits for the whole. The same state is always the same
bytes: orders are kept, since they count. `restored` is the inverse; folding on from there is folding from the start.

The index follows from the nouns and is made anew, but for orders that came about in time, and for the counts, to which
every item that ever ended adds. Nouns are maps by field
name, so a later release reads an older picture as it reads an older event: new fields have defaults.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Struct

from golemd.api.config import ProjectConfig
from golemd.api.model import Attempt, EndedItem, Gate, Item, Project, Provider, Run, Status
from golemd.core.state import State, TokenUse
from golemd.core.trail import packed, unpacked

SLICE: Final = 500  # nouns that become bytes at once: a fraction of a millisecond


class Picture(Struct, frozen=True):
    """What a state holds after record `seq`. Lists are in the state's own order; trails are packed."""

    seq: int
    ts: str
    first: int
    projects: list[Project]
    configs: dict[str, ProjectConfig]
    items: list[Item]
    ended: list[EndedItem]
    runs: list[Run]
    attempts: list[Attempt]
    gates: list[Gate]
    providers: list[Provider]
    spent: dict[str, dict[str, float]]
    tokens: dict[str, TokenUse]
    trails: dict[str, bytes]
    open_trails: dict[str, bytes]  # of items that have not ended
    children: dict[str, list[str]]
    turns: dict[str, int]
    with_run: list[str]
    paid_for: list[str]
    dependants: dict[str, list[str]]
    counts: dict[str, dict[Status, int]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Picture).decode


def picture(state: State) -> Picture:
    """What the state holds now. It stays so while the state goes on."""
    index = state.index
    return Picture(
        seq=state.seq,
        ts=state.ts,
        first=state.first,
        projects=list(state.projects.values()),
        configs=dict(state.configs),
        items=list(state.items.values()),
        ended=list(state.ended.values()),
        runs=list(state.runs.values()),
        attempts=list(state.attempts.values()),
        gates=list(state.gates.values()),
        providers=list(state.providers.values()),
        spent={day: dict(projects) for day, projects in state.spent.items()},
        tokens=dict(state.tokens),
        trails=dict(state.trail.packed),
        open_trails=dict(state.trail.grown),  # type: ignore[arg-type]  # they only grow: `pieces` packs them up to `seq`
        children={item: list(children) for item, children in state.children.items()},
        turns=dict(state.turns),
        with_run=list(index.with_run),
        paid_for=list(index.paid_for),
        dependants={item: list(waiting) for item, waiting in index.dependants.items()},
        counts={project: dict(counts) for project, counts in index.counts.items()},
    )


def pieces(taken: Picture) -> Iterator[bytes]:
    """The picture as bytes, which follow each other; each piece is quickly made."""
    fields = Picture.__struct_fields__
    yield b"\xde" + len(fields).to_bytes(2, "big")
    for name in fields:
        yield _encode(name)
        value = getattr(taken, name)
        if isinstance(value, list):
            yield b"\xdd" + len(value).to_bytes(4, "big")
            yield from _slices(value)
        elif isinstance(value, dict):
            yield b"\xdf" + len(value).to_bytes(4, "big")
            entries = _packed(taken) if name == "open_trails" else value.items()
            yield from _slices_of_map(entries)
        else:
            yield _encode(value)


def _packed(taken: Picture) -> Iterator[tuple[str, bytes]]:
    trails: dict[str, Any] = taken.open_trails
    return ((item, packed(seqs, taken.seq)) for item, seqs in trails.items())


def _slices(values: Sequence[object]) -> Iterator[bytes]:
    for at in range(0, len(values), SLICE):
        some = values[at : at + SLICE]
        yield _encode(some)[_header_bytes(len(some)) :]


def _slices_of_map(entries: Iterable[tuple[str, object]]) -> Iterator[bytes]:
    left = iter(entries)
    while some := dict(islice(left, SLICE)):
        yield _encode(some)[_header_bytes(len(some)) :]


def _header_bytes(count: int) -> int:
    """Of a MessagePack array or map of up to 65,535 things."""
    return 1 if count < 16 else 3


def restored(data: bytes | memoryview) -> State:
    """The state of which these are the bytes. Raises ValueError for others."""
    try:
        return _restored(_decode(data))
    except (msgspec.MsgspecError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"no picture of a state: {error}") from error


def _restored(found: Picture) -> State:
    state = State()
    state.seq, state.ts, state.first = found.seq, found.ts, found.first
    state.projects = {project.name: project for project in found.projects}
    state.configs = found.configs
    state.items = {item.id: item for item in found.items}
    state.ended = {row.id: row for row in found.ended}
    state.runs = {run.id: run for run in found.runs}
    state.attempts = {attempt.id: attempt for attempt in found.attempts}
    state.gates = {gate.id: gate for gate in found.gates}
    state.providers = {provider.name: provider for provider in found.providers}
    state.spent, state.turns, state.children = found.spent, found.turns, found.children
    state.tokens = OrderedDict(found.tokens)
    state.trail.packed = found.trails
    state.trail.grown = {item: unpacked(data) for item, data in found.open_trails.items()}
    _index(state, found)
    return state


def _index(state: State, found: Picture) -> None:
    index = state.index
    index.with_run, index.paid_for = dict.fromkeys(found.with_run), dict.fromkeys(found.paid_for)
    index.dependants = {item: dict.fromkeys(waiting) for item, waiting in found.dependants.items()}
    for attempt in found.attempts:
        index.take_attempt(attempt)
    for gate in found.gates:
        index.take_gate(gate)
    for run in found.runs:
        index.take_run(run)
    index.counts = found.counts
    for item in found.items:
        index.take_item(item, state.runs.get(item.run), met=not state.unmet(item))
