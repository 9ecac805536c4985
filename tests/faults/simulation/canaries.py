"""Defects that are planted in the daemon, one at a time: a simulation that does not find them shows nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final
from unittest.mock import patch

import trio
from msgspec import Struct
from msgspec.structs import replace

from golemd.adapters.clock import Alarm
from golemd.adapters.journal.appender import Appender
from golemd.adapters.journal.segments import append_all
from golemd.adapters.processes.records import Exit, Lost
from golemd.api import events
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core import scheduler, snapshot, tokens
from golemd.core.decide.common import is_over
from golemd.core.evolve import fold
from golemd.core.slots import Limits
from golemd.core.state import State
from golemd.engine import context, engine
from golemd.engine.changes import Changes
from golemd.engine.context import Context
from golemd.engine.effects import attempts, worktrees
from tests.faults.simulation.clock import SimAlarm


class Canary(Struct, frozen=True):
    """A defect, and what it would mean."""

    name: str
    plant: Callable[[], AbstractContextManager[Any]]


def _answers_early() -> AbstractContextManager[Any]:
    def owe(self: Changes, later: Any, answer: object, before: Any = None) -> None:
        later.give(answer)

    return patch.object(Changes, "_owe", owe)


def _acts_early() -> AbstractContextManager[Any]:
    async def settled(self: Context) -> None:
        await trio.lowlevel.checkpoint()

    return patch.object(Context, "settled", settled)


def _flushes_nothing() -> AbstractContextManager[Any]:
    plain = Appender.write

    async def write(self: Appender, first: int, lines: Any) -> None:
        if self._published and self._segment is not None and self._size < self._limits.segment_bytes:
            append_all(self._disk, self._file, b"".join(lines))
            self._segment.grow(first, lines)
        else:
            await plain(self, first, lines)

    return patch.object(Appender, "write", write)


def _adopts_nothing() -> AbstractContextManager[Any]:
    async def watch(engine: Context, effect: Any) -> None:
        await engine.report(cmd.ReportLost(attempt=effect.id, reason="it was another daemon's"))

    return patch.dict("golemd.engine.effects._EFFECTS", {planning.Watch: watch})


def _loses_exits() -> AbstractContextManager[Any]:
    async def see(engine: Context, attempt: str) -> None:
        ended = await engine.parts.runner.wait(attempt)
        if isinstance(ended, Lost) or ended.status != 0:
            await engine.report(cmd.ReportLost(attempt=attempt, reason="it did not end well"))
        else:
            await engine.report(attempts._exit_report(ended))

    return patch.object(attempts, "_see_to_its_end", see)


def _guesses_ends() -> AbstractContextManager[Any]:
    plain = attempts._exit_report

    def report(ended: Exit) -> cmd.ReportExit:
        return replace(plain(ended), status=0, signal=None) if ended.signal else plain(ended)

    return patch.object(attempts, "_exit_report", report)


def _does_all_twice() -> AbstractContextManager[Any]:
    plain = engine.Engine._world

    def world(self: engine.Engine, now_us: int) -> planning.World:
        seen = plain(self, now_us)
        return replace(seen, in_flight=frozenset(key for key in seen.in_flight if not key.startswith("enter")))

    return patch.object(engine.Engine, "_world", world)


def _folds_otherwise_when_it_happens() -> AbstractContextManager[Any]:
    def live(state: Any, record: events.Record) -> None:
        fold(state, record)
        if isinstance(record.data, events.BudgetSpent):
            fold(state, replace(record, data=replace(record.data, cost_usd=0.01)))

    return patch.object(context, "fold", live)


def _forgets_tokens() -> AbstractContextManager[Any]:
    return patch.object(tokens, "earlier_use", lambda *args: None)


def _knows_no_limits() -> AbstractContextManager[Any]:
    plain = planning.plan

    def plan(state: State, world: planning.World, limits: Limits) -> planning.Plan:
        return plain(state, world, replace(limits, max_agents=50, max_concurrent_runs=50))

    return patch.object(planning, "plan", plan)


def _sleeps_for_ever() -> AbstractContextManager[Any]:
    def set_none(self: Alarm, moment_us: int | None) -> None:
        """It is not set."""

    return patch.object(SimAlarm, "set", set_none)


def _halts_at_once() -> AbstractContextManager[Any]:
    return patch.object(scheduler, "under_way", lambda *args: False)


def _tidies_early() -> AbstractContextManager[Any]:
    plain = planning._effects

    def effects(state: State, world: Any, crowded: Any) -> Any:
        found = list(plain(state, world, crowded))
        over = [run for run in state.runs.values() if run.tidy and is_over(run)]
        early = [planning.Tidy(run.id) for run in over if not planning._at_work(state, world, run)]
        return [*found, *(effect for effect in early if effect not in found)]

    return patch.object(planning, "_effects", effects)


def _commits_what_it_likes() -> AbstractContextManager[Any]:
    plain = worktrees.commit

    async def commit(engine: Context, effect: Any) -> None:
        await plain(engine, effect)
        await plain(engine, effect)

    return patch.dict("golemd.engine.effects._EFFECTS", {planning.Commit: commit})


def _forgets_in_snapshots() -> AbstractContextManager[Any]:
    plain = snapshot.restored

    def restored(data: memoryview) -> State:
        state = plain(data)
        state.turns.clear()
        return state

    return patch.object(snapshot, "restored", restored)


CANARIES: Final = (
    Canary("clients are answered before it is durable", _answers_early),
    Canary("effects do not wait until all is durable", _acts_early),
    Canary("records are written and not flushed", _flushes_nothing),
    Canary("running attempts of an earlier daemon count as lost", _adopts_nothing),
    Canary("ends that are no success are lost", _loses_exits),
    Canary("what died by a signal counts as success", _guesses_ends),
    Canary("a workspace is entered twice at once", _does_all_twice),
    Canary("a replay folds one event otherwise", _folds_otherwise_when_it_happens),
    Canary("a snapshot forgets something", _forgets_in_snapshots),
    Canary("repeated tokens have a second effect", _forgets_tokens),
    Canary("limits are not looked at", _knows_no_limits),
    Canary("nothing that waits for time goes on", _sleeps_for_ever),
    Canary("a dispatch is halted while attempts run", _halts_at_once),
    Canary("a worktree is removed while its attempt is being ended", _tidies_early),
    Canary("what is committed is committed again", _commits_what_it_likes),
)
