"""plan(state, world) → what to do next: commands to decide, effects to carry out, and when to look again.

Asked whenever durable state or the world has changed. A step is a command, which passes the same gate as the user's,
or an effect whose intent is already durable. Effects have keys: one that is in flight is not asked for again. Restart
has no path of its own: after a replay nothing is in flight, so what was under way is simply asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from msgspec import Struct

from golemd.api.model import Attempt, AttemptState, HaltReason, Item, PhaseState, Run, RunState, Stage, WorktreeState
from golemd.core import budgets, mandate, scheduler
from golemd.core.admission import LOOK_AGAIN_US, Room, shortage
from golemd.core.asides import aside_at
from golemd.core.commands import (
    AskBudget,
    Command,
    Defer,
    Halt,
    Launch,
    PlanSetup,
    PlanVerify,
    Promote,
    Unpark,
)
from golemd.core.decide import deferring
from golemd.core.decide.common import is_over
from golemd.core.exclusion import is_shared
from golemd.core.slots import Limits, Tally, busy, held_back, may_set_up, may_verify
from golemd.core.state import State

_AT_WORK: Final = (PhaseState.RUNNING, PhaseState.VERIFYING)
_IN_TREES: Final = frozenset({"enter", "commit", "flush", "setaside", "rebuild", "keep"})
"""The kinds of effects that work in a run's tree."""


class World(Struct, frozen=True, dict=True):
    """What is true outside the journal. `stopping`: "end" or "keep" while the daemon goes down; `full`: no room."""

    now_us: int
    in_flight: frozenset[str] = frozenset()
    stopping: str = ""
    full: bool = False
    foreign: frozenset[str] = frozenset()  # projects that another daemon holds
    notifies: bool = False  # whether there is a way to tell people something
    room: Room = Room()
    prune_at_us: int | None = None  # when old logs are to be removed next; None: never
    unpruned: bool = False  # whether records are still there that are to be removed

    @cached_property
    def in_trees(self) -> tuple[str, ...]:
        """The effects in flight that work in a tree: few, where a thousand agents may be at work."""
        return tuple(key for key in self.in_flight if key.partition(":")[0] in _IN_TREES)


class Effect(Struct, frozen=True):
    """Something to do outside the process; `key` keeps it from being done twice at once."""

    id: str

    @property
    def key(self) -> str:
        return f"{type(self).__name__.lower()}:{self.id}"


class Enter(Effect, frozen=True):
    """Make the run's workspace ready and note where its phase begins."""


class Spawn(Effect, frozen=True):
    """Start a planned attempt and watch it to its end."""

    @property
    def key(self) -> str:
        return f"attempt:{self.id}"


class Watch(Effect, frozen=True):
    """Take up an attempt that was started earlier: adopt it, or learn how it ended."""

    @property
    def key(self) -> str:
        return f"attempt:{self.id}"


class Stop(Effect, frozen=True):
    """Ask a running attempt to end."""


class Fence(Effect, frozen=True):
    """See to it that a planned attempt can never start."""


class Examine(Effect, frozen=True):
    """Look at what an ended attempt left: its result file and the tree."""


class Commit(Effect, frozen=True):
    """Record the phase's work in git."""


class Flush(Effect, frozen=True):
    """Commit what has waited in a shared tree."""


class Keep(Effect, frozen=True):
    """Keep a failed attempt's leftovers under a ref and put the tree back to the phase's start."""

    run: str


class Tidy(Effect, frozen=True):
    """Keep what an ended run's worktree still holds, and remove it."""


class SetAside(Effect, frozen=True):
    """Keep all that a waiting run's worktree holds, and remove it for a while."""


class Rebuild(Effect, frozen=True):
    """Make a worktree that was set aside again, with all that it held."""


class Notify(Effect, frozen=True):
    """Tell a person that a gate is open."""


class WriteReport(Effect, frozen=True):
    """Write the final report of a run that has been put away."""


class Prune(Effect, frozen=True):
    """Remove the logs of items that ended long ago."""


class PruneJournal(Effect, frozen=True):
    """Remove the segments that a user wants to be rid of."""


class Plan(Struct, frozen=True):
    """What to do now; and when time alone changes something (microseconds), or None.

    `short`: what the machine has too little of, in words, when that alone holds something back.
    """

    commands: tuple[Command, ...]
    effects: tuple[Effect, ...]
    wake_at_us: int | None
    short: str = ""


def plan(state: State, world: World, limits: Limits) -> Plan:
    """What the daemon should do next."""
    tally = Tally.of(state, world.in_flight)
    crowded = tally.crowded_out(state, limits)
    effects = tuple(effect for effect in _effects(state, world, crowded) if effect.key not in world.in_flight)
    if world.stopping or world.full:
        return Plan((), effects, None)
    tripped = tuple(_trips(state, world))
    if tripped:  # what is chosen next is chosen without these dispatches
        return Plan(tripped, effects, None)
    runs = list(state.unattended())
    commands: list[Command] = [*_recoveries(state, world), *_own_commands(state, world, crowded, runs)]
    commands += [*_deferrals(state, runs), *_budgets(state, world)]
    actions = scheduler.select_actions(state, limits, world.now_us, world.foreign, tally)
    short = shortage(world.room, limits) if any(isinstance(each, Launch) for each in actions) else ""
    started = [each for each in actions if isinstance(each, Promote) or (not short and _is_there(state, world, each))]
    commands += started
    if not commands:
        commands += _halts(state, world)
    launched = {each.item for each in started if isinstance(each, Launch)}
    idle = _idle(state, world, [run for item, run in runs if item.id not in launched])
    asides = tuple(SetAside(run.id) for at, run in idle if at <= world.now_us)
    again = world.now_us + LOOK_AGAIN_US if short else None
    moments = [scheduler.wake_at(state, world.now_us), again, world.prune_at_us, *(at for at, _ in idle)]
    return Plan(tuple(commands), effects + asides, _next(moments, world.now_us), short)


def _next(moments: Iterable[int | None], now_us: int) -> int | None:
    """The first moment that is still to come."""
    return min((moment for moment in moments if moment is not None and moment > now_us), default=None)


def _is_there(state: State, world: World, launch: Launch) -> bool:
    """Whether the worktree of the item's run, if it has one, is not being set aside just now."""
    run = state.run_of(state.items[launch.item])
    return run is None or SetAside(run.id).key not in world.in_flight


def _idle(state: State, world: World, runs: list[Run]) -> list[tuple[int, Run]]:
    """Those of the runs whose worktrees nobody needs, and when each is set aside."""
    moments = ((aside_at(state, run), run) for run in runs if run.project not in world.foreign)
    return [(at, run) for at, run in moments if at is not None and not _at_work(state, world, run)]


# --- effects -----------------------------------------------------------------------------------------------------


def _effects(state: State, world: World, crowded: frozenset[str]) -> Iterator[Effect]:
    for name in state.index.attempts:
        yield from _attempt_effects(state, world, state.attempts[name], crowded)
    if world.stopping:
        return
    if world.prune_at_us is not None and world.prune_at_us <= world.now_us:
        yield Prune("logs")
    if world.unpruned and not world.full:
        yield PruneJournal("journal")
    attended = set(state.index.spawned.values())
    for run in map(state.runs.__getitem__, state.index.runs):
        if run.project not in world.foreign and (run.uncommitted or run.id not in attended):
            yield from _run_effects(state, world, run, crowded)
    if world.notifies and not world.full:  # what could not be recorded would be told again
        yield from (Notify(gate.id) for gate in state.all_open_gates() if not gate.notified)


def _attempt_effects(state: State, world: World, attempt: Attempt, crowded: frozenset[str]) -> Iterator[Effect]:
    run = state.runs[attempt.run]
    if attempt.state is AttemptState.EXITED:
        if not world.stopping:
            yield Examine(attempt.id)
    elif attempt.state is AttemptState.SPAWNED:
        yield Watch(attempt.id)
        if is_unwanted(state, run) or world.stopping == "end":
            yield Stop(attempt.id)
    elif is_unwanted(state, run):
        yield Fence(attempt.id)
    elif not (
        _waits(state, world, run, crowded) or _is_in_the_way(state, world, attempt) or world.stopping or world.full
    ):
        yield Spawn(attempt.id)


def is_unwanted(state: State, run: Run) -> bool:
    """Whether the run's attempt has to end: its run is over or has left its phase, or a human holds it back."""
    return is_over(run) or bool(run.leaving) or held_back(state, run)


def _waits(state: State, world: World, run: Run, crowded: frozenset[str]) -> bool:
    """Whether no process of the run may be started now."""
    return held_back(state, run) or run.id in crowded or run.project in world.foreign


def _run_effects(state: State, world: World, run: Run, crowded: frozenset[str]) -> Iterator[Effect]:
    if deferring.is_due(state, run):
        yield Flush(run.id)
        return
    if is_over(run):
        if run.tidy and not _has_live_attempt(state, run) and not _at_work(state, world, run):
            yield Tidy(run.id)
        if not run.reported and state.is_put_away(run) and not world.full:
            yield WriteReport(run.id)
        return
    if run.leaving or _at_work(state, world, run):
        return
    to_put_back = next((phase.put_back for phase in run.phases if phase.put_back), "")
    if to_put_back and run.worktree is not WorktreeState.ASIDE:
        yield Keep(to_put_back, run.id)  # also while a human is asked, who would otherwise work in what is put back
    elif run.state is RunState.AWAITING or held_back(state, run):
        return
    elif run.worktree is WorktreeState.ASIDE:
        if busy(run):
            yield Rebuild(run.id)
    elif run.phase.state in _AT_WORK:
        if run.phase.stage is Stage.ENTER:
            is_free = run.id not in crowded and deferring.is_clear(state, run)
            if is_free and run.worktree is not WorktreeState.MADE:
                yield Enter(run.id)
        elif run.phase.stage is Stage.COMMIT:
            waits = deferring.may_wait(state, run) or deferring.is_closed(state, run)
            yield from () if waits else (Commit(run.id),)


def is_left(state: State, effect: Effect) -> bool:
    """Whether a run has left the step that an effect was planned for, while that waited for its turn."""
    stage = {Enter: Stage.ENTER, Commit: Stage.COMMIT}.get(type(effect))
    if stage is None:
        return False
    run = state.runs.get(effect.id)
    return run is None or is_over(run) or run.phase.stage is not stage or run.phase.state not in _AT_WORK


def _has_live_attempt(state: State, run: Run) -> bool:
    return any(state.attempts[each].run == run.id for each in state.index.attempts)


def _at_work(state: State, world: World, run: Run) -> bool:
    """Whether an effect works in the run's worktree, where nothing else may begin before it has ended."""
    if is_shared(state, run):
        return any(_works_beside(state, key, run) for key in world.in_trees)
    if any(f"{effect.__name__.lower()}:{run.id}" in world.in_flight for effect in (Enter, Commit, SetAside, Rebuild)):
        return True
    keeps = f"{Keep.__name__.lower()}:{run.id}."
    return any(key.startswith(keeps) for key in world.in_trees)


def _is_in_the_way(state: State, world: World, attempt: Attempt) -> bool:
    """Whether another run's work is being committed, say, in the shared tree that the attempt is to have to itself."""
    return deferring.destroys(state, attempt) and _at_work(state, world, state.runs[attempt.run])


def _works_beside(state: State, key: str, run: Run) -> bool:
    """Whether an effect looks at, or changes, the tree that the run shares."""
    kind, _, name = key.partition(":")
    other = state.runs.get(name) if kind in ("enter", "commit", "flush") else None
    return other is not None and other.project == run.project and is_shared(state, other)


# --- commands ----------------------------------------------------------------------------------------------------


def _recoveries(state: State, world: World) -> Iterator[Command]:
    for provider in state.providers.values():
        if 0 < provider.until_us <= world.now_us:
            yield Unpark(provider=provider.name)


def _budgets(state: State, world: World) -> Iterator[Command]:
    for item in map(state.items.__getitem__, state.index.paid_for):
        if item.project not in world.foreign and budgets.asks(state, item):
            yield AskBudget(item=item.id)


def _own_commands(
    state: State, world: World, crowded: frozenset[str], runs: list[tuple[Item, Run]]
) -> Iterator[Command]:
    """The commands that golemd runs itself: they set a new worktree up, and check an agent's work."""
    for _, run in runs:
        step = PlanSetup if may_set_up(run, world.now_us) else PlanVerify if may_verify(run, world.now_us) else None
        if step is not None and not _waits(state, world, run, crowded) and not _at_work(state, world, run):
            yield step(run=run.id)


def _deferrals(state: State, runs: list[tuple[Item, Run]]) -> Iterator[Command]:
    for _, run in runs:
        commits = run.phase.stage is Stage.COMMIT and run.phase.state in _AT_WORK
        if not commits or run.state is RunState.AWAITING or run.leaving or held_back(state, run):
            continue
        if deferring.may_wait(state, run):
            yield Defer(run=run.id)


def _halts(state: State, world: World) -> Iterator[Command]:
    """Dispatches that nothing can move any more: all is done or waits for a human, or the cap is used up."""
    for project in state.projects.values():
        dispatch = project.dispatch
        if not dispatch.on or project.name in world.foreign or scheduler.under_way(state, project.name, world.now_us):
            continue
        if scheduler.continues(state, project.name, world.now_us):
            continue  # another attempt, which the cap does not count, waits for a slot
        could_go_on = _could_start(state, project.name, world.now_us) or _could_promote(state, project.name)
        if could_go_on and dispatch.used >= dispatch.cap:
            yield Halt(project=project.name, reason=HaltReason.CAP_REACHED)
        elif not could_go_on and not dispatch.continuous:
            yield Halt(project=project.name, reason=mandate.halt_reason(state, project))


def _trips(state: State, world: World) -> Iterator[Command]:
    """Dispatches in which so many phases failed in a row that starting more would only waste money."""
    for project in state.projects.values():
        bound = state.config_of(project.name).execution.circuit_breaker
        if project.dispatch.on and project.name not in world.foreign and 0 < bound <= project.failures:
            yield Halt(project=project.name, reason=HaltReason.CIRCUIT_BREAKER)


def _could_start(state: State, project: str, now_us: int) -> bool:
    return any(True for _ in scheduler.candidates(state, project, (), now_us))


def _could_promote(state: State, project: str) -> bool:
    wip = state.index.wip.get(project, 0)
    return wip < state.config_of(project).execution.max_wip and any(scheduler.could_promote(state, project))
