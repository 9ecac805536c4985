"""What agents and commands do: mostly their work, and now and then everything else that is possible."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec
from msgspec import Struct

from golemd.adapters.agents import Kind, Launch, Reading, Request
from golemd.adapters.processes.records import AttemptSpec, Reason
from tests.faults.simulation.world import World

FOR_EVER: Final = 1e7  # seconds
SHELL: Final = "/bin/sh"


class Behaviour(Struct):
    """One program, from its start: how long it runs, what it leaves and says, how it ends."""

    seconds: float = 1.0
    result: bytes | None = None
    output: bytes = b""
    status: int = 0
    signal: int | None = None
    limit: Reason = ""  # which of its limits it runs into, where none of time
    ignores_term: bool = False
    spawn_errno: int = 0  # it cannot be started
    edits: bool = True
    moves_branch: bool = False
    asks: bool = False  # it adds an item, as agents may
    leaves: int = 0  # descendants that are to be ended


class Said(Struct, omit_defaults=True):
    """A line of output of a simulated agent."""

    cost_usd: float = 0.0
    tokens: int = 0
    trouble: str = ""
    reset_us: int = 0
    session: str = ""
    cannot_resume: bool = False


class SaidReader:
    """Reads what a simulated agent says of itself."""

    def __init__(self) -> None:
        self._output = b""

    def feed(self, data: bytes) -> None:
        self._output += data

    def feed_errors(self, data: bytes) -> None:
        """Pass over it."""

    def reading(self, status: int | None) -> Reading:
        if not self._output:
            return Reading()
        said = msgspec.json.decode(self._output, type=Said)
        return Reading(
            session=said.session,
            cost_usd=said.cost_usd,
            output_tokens=said.tokens,
            trouble=said.trouble,  # type: ignore[arg-type]
            reset_us=said.reset_us,
            cannot_resume=said.cannot_resume,
            message="so it said" if said.trouble else "",
        )


def _launch(request: Request) -> Launch:
    return Launch((SHELL, "agent"), stdin="do it")


KIND: Final = Kind(_launch, SaidReader)
"""The kind of all agents here, in the place of the embedded one."""


def of(world: World, spec: AttemptSpec) -> Behaviour:
    """What a program does that is started now."""
    dice = world.dice
    mischief = world.chance(world.weather.mischief)
    if spec.argv[1] != "agent":
        seconds = dice.choice((0.01, 0.5, 5.0, 60.0))
        fails = mischief and world.chance(0.6)
        return Behaviour(seconds, status=int(fails), edits=False, leaves=dice.choice((0, 0, 1)))
    good = _good(world, spec)
    if mischief and spec.env["GOLEM_PHASE"] == "triage" and world.chance(0.5):
        return _finds_a_duplicate(world, spec, good)
    return world.pick(MISCHIEF)(world, spec, good) if mischief else good


def _good(world: World, spec: AttemptSpec) -> Behaviour:
    dice = world.dice
    said = Said(cost_usd=dice.choice((0.0, 0.1, 0.4)), tokens=dice.randrange(1000), session=spec.attempt)
    fields: dict[str, Any] = {}
    if spec.env["GOLEM_PHASE"] == "triage":
        fields["updated_assessments"] = _assessed(dice)
    return Behaviour(
        dice.choice((0.02, 1.0, 20.0, 200.0)),
        result=_result(spec, "phase_complete", **fields),
        output=msgspec.json.encode(said),
        leaves=dice.choice((0, 0, 2)),
    )


def _assessed(dice: Random) -> dict[str, str]:
    levels = ("low", "low", "medium", "high")
    small = {"size": dice.choice(("small", "small", "medium", "large")), "complexity": dice.choice(levels)}
    return small | {"risk": dice.choice(levels), "impact": "low"}


def _result(spec: AttemptSpec, result: str, **fields: Any) -> bytes:
    named = {"item_id": spec.env["GOLEM_ITEM"], "phase": spec.env["GOLEM_PHASE"]}
    return msgspec.json.encode({**named, "result": result, "summary": f"{result} it is", **fields})


# --- mischief ----------------------------------------------------------------------------------------------------


def _says(result: str, **fields: Any) -> Callable[[World, AttemptSpec, Behaviour], Behaviour]:
    def change(world: World, spec: AttemptSpec, good: Behaviour) -> Behaviour:
        good.result = _result(spec, result, **fields)
        return good

    return change


def _with(**changes: Any) -> Callable[[World, AttemptSpec, Behaviour], Behaviour]:
    def change(world: World, spec: AttemptSpec, good: Behaviour) -> Behaviour:
        return msgspec.structs.replace(good, **changes)

    return change


def _in_trouble(world: World, spec: AttemptSpec, good: Behaviour) -> Behaviour:
    trouble = world.pick(("transient", "transient", "limit", "limit", "budget", "agent", "fatal"))
    reset = world.clock.now_us() + world.dice.randrange(7_200_000_000) if world.chance(0.5) else 0
    said = Said(cost_usd=0.1, trouble=trouble, reset_us=reset, cannot_resume=world.chance(0.2))
    return msgspec.structs.replace(good, result=None, status=1, output=msgspec.json.encode(said))


def _finds_a_duplicate(world: World, spec: AttemptSpec, good: Behaviour) -> Behaviour:
    known = sorted(world.witness.state.items)
    good.result = _result(spec, "phase_complete", duplicates=[world.pick(known)], updated_assessments={"size": "large"})
    return good


MISCHIEF: Final[tuple[Callable[[World, AttemptSpec, Behaviour], Behaviour], ...]] = (
    _says("failed"),
    _says("failed"),
    _says("subphase_complete"),
    _says("blocked", question="Which of the two?"),
    _says("phase_complete", follow_ups=["more of it", {"title": "and this", "suggested_size": "small"}]),
    _says("phase_complete", item_id="NOT-1"),
    _says("never heard of"),
    _with(result=None),
    _with(result=b"{"),
    _with(result=None, status=1),
    _with(status=3),
    _with(signal=signal.SIGSEGV),
    _with(result=None, limit="output"),
    _with(result=None, limit="memory"),
    _with(seconds=FOR_EVER),
    _with(seconds=FOR_EVER, ignores_term=True),
    _with(seconds=2000.0),
    _with(spawn_errno=errno.ENOENT),
    _with(spawn_errno=errno.EAGAIN),
    _with(moves_branch=True),
    _with(edits=False),
    _with(asks=True),
    _in_trouble,
    _in_trouble,
    _in_trouble,
)
