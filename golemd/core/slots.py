"""What is taken just now: which runs are busy, who holds a slot or a place in progress, and who is held back.

A run that is held back with no process left gives its slot away. When it may go on and others have the slots by then,
its next process waits for one: it is crowded out.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct

from golemd.api.model import AttemptState, PhaseState, Run, RunState, Stage, WorktreeState
from golemd.core.index import launch_order
from golemd.core.state import State


class Limits(Struct, frozen=True):
    """What the whole daemon allows at once, and what it leaves of the machine (0: does not matter)."""

    max_agents: int = 4
    max_concurrent_runs: int = 4
    min_free_gb: float = 0.0
    min_free_memory_mb: int = 0


class Tally(Struct, frozen=True):
    """Items in progress and slots held, by project. `waiting`: busy runs without a process, in the order of slots."""

    wip: dict[str, int]
    slots: dict[str, int]
    waiting: list[Run]

    @classmethod
    def of(cls, state: State, in_flight: frozenset[str] = frozenset()) -> Tally:
        """Count once for many questions. A process has its slot, also one that is still ending after its run."""
        slots = Counter(state.runs[run].project for run in state.index.spawned.values())
        waiting = []
        for item, run in state.unattended():
            if holds_slot(state, run):
                slots[run.project] += 1
                if not has_process(state, run, in_flight):
                    waiting.append((launch_order(item, run), run))
        return cls(state.index.wip, slots, [run for _, run in sorted(waiting, key=lambda each: each[0])])

    def without(self, run: Run) -> Tally:
        """What others take: all but this run, which holds a slot."""
        return Tally(self.wip, self.slots | {run.project: self.slots[run.project] - 1}, self.waiting)

    def crowded_out(self, state: State, limits: Limits) -> frozenset[str]:
        """Busy runs whose next process must wait for a slot: they were held back, and others have theirs by now."""
        slots = Counter(self.slots)
        slots.subtract(run.project for run in self.waiting)
        crowded = set()
        for run in self.waiting:
            bound = state.config_of(run.project).execution.max_concurrent
            if slots[run.project] >= bound or slots.total() >= limits.max_agents:
                crowded.add(run.id)
            else:
                slots[run.project] += 1
        return frozenset(crowded)


def busy(run: Run) -> bool:
    """Whether a step of its phase is under way, or follows without anybody's leave."""
    phase = run.phase
    if run.leaving:
        return True
    if phase.state not in (PhaseState.RUNNING, PhaseState.VERIFYING):
        return False
    if run.state is RunState.AWAITING:  # a gate about the item itself holds up what would follow
        return bool(phase.live)
    return bool(phase.live or phase.put_back) or phase.stage is not Stage.BODY


def may_verify(run: Run, now_us: int) -> bool:
    """Whether the phase's next verify command can be started at this moment."""
    return run.worktree not in (WorktreeState.MADE, WorktreeState.ASIDE) and _stands_at(run, now_us, Stage.VERIFY)


def may_set_up(run: Run, now_us: int) -> bool:
    """Whether the next setup command of its new worktree can be started at this moment."""
    return run.worktree is WorktreeState.MADE and _stands_at(run, now_us, Stage.ENTER, Stage.VERIFY)


def _stands_at(run: Run, now_us: int, *stages: Stage) -> bool:
    """Whether its phase waits for nothing but the step of one of these stages."""
    phase = run.phase
    at_work = phase.state in (PhaseState.RUNNING, PhaseState.VERIFYING) and run.state is not RunState.AWAITING
    if not at_work or phase.stage not in stages or phase.live or phase.again_us > now_us:
        return False
    return not any(each.put_back for each in run.phases)


def held_back(state: State, run: Run) -> bool:
    """Whether a human wished that its attempts end now: it is paused, or its project is stopped."""
    dispatch = state.projects[run.project].dispatch
    return state.items[run.item].is_held or (dispatch.stop_now and not dispatch.on)


def stands_still(state: State, run: Run) -> bool:
    """Whether it is held back with no process to end: its next step comes when it may go on."""
    return held_back(state, run) and not has_process(state, run)


def holds_slot(state: State, run: Run) -> bool:
    """Whether the run takes a slot."""
    return busy(run) and not stands_still(state, run)


def has_process(state: State, run: Run, in_flight: frozenset[str] = frozenset()) -> bool:
    """Whether its attempt has been started and not been judged yet, or is just being started."""
    live = state.attempts.get(run.live)
    return live is not None and (live.state is not AttemptState.PLANNED or f"attempt:{live.id}" in in_flight)
