"""What must hold at every moment: of each record as it becomes durable, each answer, each start of a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from golemd.api import calls, events, views
from golemd.api.events import Record
from golemd.api.faults import Fault
from golemd.api.model import ATTEMPT_OVER, ENDED, AttemptKind, AttemptState, HaltReason, Item, Status
from golemd.core.state import State, TokenUse
from tests.faults.simulation.daemon import SETTINGS

if TYPE_CHECKING:
    from tests.faults.simulation.processes import Program
    from tests.faults.simulation.world import World


class Promises:
    """Holds the world to them. `acknowledged`: what each token stood for when it was answered."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._begun: set[str] = set()
        self._committed: set[str] = set()
        self.acknowledged: dict[str, TokenUse] = {}
        self.refused: set[str] = set()
        self._unanswered: Counter[str] = Counter()  # how often each token was sent and not answered

    def expect(self, holds: bool, what: str) -> None:
        """A promise: broken unless it holds."""
        if not holds:
            self._world.broken(what)

    # --- records -----------------------------------------------------------------------------------------------------

    def before(self, record: Record, state: State) -> None:
        """A record is durable; `state` is what was before it."""
        check = _BEFORE.get(type(record.data))
        if check is not None:
            check(self, record, record.data, state)

    def after(self, record: Record, state: State) -> None:
        """The same, with what is now."""
        check = _AFTER.get(type(record.data))
        if check is not None:
            check(self, record, record.data, state)

    def _planned(self, record: Record, event: events.AttemptPlanned, state: State) -> None:
        live = [each.id for each in state.attempts.values() if each.run == event.run and each.state not in ATTEMPT_OVER]
        self.expect(not live, f"{event.attempt} is planned while {live} is live")
        item, run = state.items[record.item], state.runs[event.run]
        limit = state.configs[run.config_digest].budget.item_usd
        if event.kind is AttemptKind.AGENT and limit:
            left = limit + item.raised_usd - item.spent_usd
            self.expect(left > 0, f"{event.attempt} is planned, and the budget of {item.id} is spent")

    def _spawned(self, record: Record, event: events.AttemptSpawned, state: State) -> None:
        folder = self._world.processes.folder(event.attempt)
        true = folder.started is not None and folder.started.pid == event.pid
        self.expect(true, f"{event.attempt} is recorded as started, and is not")

    def _adopted(self, record: Record, event: events.AttemptAdopted, state: State) -> None:
        self._world.meet("attempts adopted")

    def _exited(self, record: Record, event: events.AttemptExited, state: State) -> None:
        end = self._world.processes.folder(event.attempt).exit
        if end is None:
            self._world.broken(f"{event.attempt} is recorded as ended, and nobody knows how")
            return
        told = (event.status, event.signal, event.reason)
        reason = "unusable" if end.reason == "spawn_failed" and end.errno == 2 else end.reason
        self.expect(told == (end.status, end.signal, reason), f"{event.attempt} is recorded to end {told}, not {end}")
        self._is_gone(event.attempt)

    def _lost(self, record: Record, event: events.AttemptLost, state: State) -> None:
        folder = self._world.processes.folder(event.attempt)
        self.expect(folder.exit is None, f"{event.attempt} is recorded as lost, and it ended: {folder.exit}")
        self._is_gone(event.attempt)
        self._world.meet("attempts lost")

    def _is_gone(self, attempt: str) -> None:
        left = self._world.processes.alive(attempt)
        self.expect(not left, f"{attempt} is recorded as over, and it runs")

    def _gate(self, record: Record, event: events.GateOpened, state: State) -> None:
        self.expect(bool(event.options), f"{event.gate} has no way out")
        self._world.meet(f"gates: {event.kind}")

    def _halted(self, record: Record, event: events.DispatchHalted, state: State) -> None:
        true = HALTS[event.reason](state, record.project)
        self.expect(true, f"the dispatch of {record.project} is halted: {event.reason}, which is not true")
        self._world.meet(f"halts: {event.reason}")

    def _commit(self, record: Record, event: events.CommitCreated, state: State) -> None:
        self.expect(event.attempt not in self._committed, f"the work of {event.attempt} is committed twice")
        self._committed.add(event.attempt)
        if event.commit:
            known = self._world.repositories.commits.get(event.commit)
            true = known is not None and known.attempt == event.attempt
            self.expect(true, f"{event.commit} is recorded as the commit of {event.attempt}")

    def _parked(self, record: Record, event: events.ProviderParked, state: State) -> None:
        self._world.meet("providers parked")

    def _moved(self, record: Record, event: events.ItemMoved, state: State) -> None:
        """A ready item goes in progress only while there is room."""
        item = state.items[record.item]
        if event.to is Status.IN_PROGRESS and event.reason == "promoted":
            mine = [each for each in state.items.values() if _is_in_progress(each)]
            bound = state.config_of(item.project).execution.max_wip
            count = sum(each.project == item.project for each in mine)
            self.expect(count <= bound, f"{count} items are in progress in {item.project}, of {bound}")
            most = SETTINGS.max_concurrent_runs
            self.expect(len(mine) <= most, f"{len(mine)} runs are in progress, of {most}")

    # --- what is done --------------------------------------------------------------------------------------------

    def launches(self, attempt: str) -> None:
        """A shim is started."""
        planned = self._world.witness.state.attempts.get(attempt)
        self.expect(planned is not None, f"{attempt} is started before it is durably planned")
        wanted = planned is None or planned.state is AttemptState.PLANNED
        self.expect(wanted, f"{attempt} is started, and it is {planned and planned.state}")

    def begins(self, program: Program, others: Sequence[Program]) -> None:
        """A program is started."""
        attempt, attempts = program.spec.attempt, self._world.witness.state.attempts
        self.expect(attempt not in self._begun, f"{attempt} runs twice")
        self._begun.add(attempt)
        running = [*(each.spec.attempt for each in others), attempt]
        runs = Counter(attempts[each].run for each in running if each in attempts)
        self.expect(max(runs.values()) == 1, f"two of {running} are for one piece of work")
        self.expect(len(running) <= SETTINGS.max_agents, f"{running} run at once, of {SETTINGS.max_agents}")
        state = self._world.witness.state
        projects = Counter(state.runs[run].project for run in runs)
        for project, count in projects.items():
            bound = state.config_of(project).execution.max_concurrent
            self.expect(count <= bound, f"{count} programs of {project} run at once, of {bound}")

    def works_alone(self, path: str, doing: str, at_work: Mapping[str, str]) -> None:
        """Git is to change a worktree."""
        other = at_work.get(path, doing)
        self.expect(other == doing, f"{doing} and {other} in {path} at once")
        running = [each.spec.attempt for each in self._world.processes.alive() if each.spec.cwd == path]
        self.expect(not running, f"{doing} in {path} while {running} runs there")

    def commits(self, attempt: str) -> None:
        """Git is to commit the work of an attempt."""
        self.expect(attempt not in self._committed, f"{attempt} is committed again, although that is recorded")
        known = self._world.witness.state.attempts.get(attempt)
        accepted = known is not None and known.state is AttemptState.ACCEPTED
        self.expect(accepted, f"{attempt} is committed before it is durably accepted")

    def tells(self, gate: str) -> None:
        """A person is told of a gate."""
        known = self._world.witness.state.gates.get(gate)
        self.expect(known is None or not known.notified, f"{gate} is told of again, although that is recorded")

    def all_ended(self, alive: Sequence[Program]) -> None:
        """The daemon has ended all attempts, and itself."""
        left = [each.spec.attempt for each in alive]
        self.expect(not left, f"the daemon has stopped, and {left} runs on")

    # --- answers -------------------------------------------------------------------------------------------------

    def follows(self, seq: int, h: str, expected: int) -> None:
        """A follower is told of a record: of each one once, in order, and of none that is still to come."""
        self.expect(seq == expected, f"a follower is told of record {seq} instead of {expected}")
        known = self._world.witness.records
        true = seq <= len(known) and known[seq - 1].h == h
        self.expect(true, f"a follower is told of record {seq}, which is not there")
        self._world.met["records followed"] += 1

    def is_asked(self, call: calls.Change[Any]) -> None:
        """A client asks, perhaps again: what was refused before may be done now."""
        self.refused.discard(call.token)
        self._unanswered[call.token] += 1

    def shows(self, answer: object) -> None:
        """A client is shown how things are: nothing of it is to come yet."""
        durable = self._world.witness.state
        if isinstance(answer, views.StatusView):
            self.expect(answer.daemon.seq <= durable.seq, f"record {answer.daemon.seq} is shown before it is durable")
            shown = {item.id for item in answer.items}
            self.expect(shown <= durable.items.keys() | durable.ended.keys(), "an item is shown that is not durable")

    def answers(self, call: calls.Change[Any], answer: object, live: State, agent: str | None) -> None:
        """A client is answered. What it stands for is durable, and so it stays."""
        self.expect(not isinstance(answer, Exception) or isinstance(answer, Fault), f"{call} is answered by {answer!r}")
        forbidden = agent is not None and isinstance(call, calls.RunStop) and not isinstance(answer, Fault)
        self.expect(not forbidden, f"{agent} is an agent, and stops a dispatch")
        self._unanswered[call.token] -= 1
        if not call.token or hasattr(answer, "exit_status"):
            return
        if isinstance(answer, Fault):
            if call.token not in self.acknowledged and not self._unanswered[call.token]:
                self.refused.add(call.token)
            return
        durable, known = self._world.witness.state, self.acknowledged.get(call.token)
        if call.token in live.tokens:
            self.expect(call.token in durable.tokens, f"{call} is answered before it is durable")
            use = durable.tokens.get(call.token, live.tokens[call.token])
            self.expect(known in (None, use), f"{call} had the effect {known}, and then another: {use}")
            self.acknowledged[call.token] = use
        else:
            self.expect(known is None, f"{call} was acknowledged, and is forgotten")
        repeated = getattr(answer, "repeated", None)
        if known is not None and repeated is not None:
            self._world.meet("tokens repeated")
            self.expect(bool(repeated), f"{call} was acknowledged before, and is answered as if it were new")

    def are_kept(self, state: State) -> None:
        """Every command that was acknowledged is in the journal, and none that was refused."""
        for token, use in self.acknowledged.items():
            self.expect(state.tokens.get(token) == use, f"{token} was acknowledged, and {use} is not in the journal")
        for token in sorted(self.refused):
            self.expect(token not in state.tokens, f"{token} was refused, and is in the journal")


def _is_in_progress(item: Item) -> bool:
    return item.status is Status.IN_PROGRESS and not item.is_held


def _nothing_goes_on(state: State, project: str) -> bool:
    """Whether no program of it runs, and none is about to."""
    mine = [each for each in state.attempts.values() if state.runs[each.run].project == project]
    runs = any(each.state is AttemptState.SPAWNED for each in mine)
    begins = any(each.state is AttemptState.PLANNED and not state.items[each.item].is_held for each in mine)
    return not (runs or begins)


def _cap_is_used(state: State, project: str) -> bool:
    dispatch = state.projects[project].dispatch
    return dispatch.used >= dispatch.cap and _nothing_goes_on(state, project)


def _breaker(state: State, project: str) -> bool:
    return state.projects[project].failures >= state.config_of(project).execution.circuit_breaker > 0


def _targets_done(state: State, project: str) -> bool:
    targets = state.projects[project].dispatch.targets
    return bool(targets) and all(each not in state.items or state.items[each].status in ENDED for each in targets)


def _target_blocked(state: State, project: str) -> bool:
    return not _targets_done(state, project) and _nothing_goes_on(state, project)


HALTS: Final[dict[HaltReason, Callable[[State, str], bool]]] = {
    HaltReason.STOPPED: lambda state, project: True,
    HaltReason.CAP_REACHED: _cap_is_used,
    HaltReason.CIRCUIT_BREAKER: _breaker,
    HaltReason.ALL_DONE_OR_BLOCKED: _nothing_goes_on,
    HaltReason.TARGET_DONE: _targets_done,
    HaltReason.TARGET_BLOCKED: _target_blocked,
    HaltReason.FILTER_EXHAUSTED: _nothing_goes_on,
    HaltReason.NO_MATCHING_ITEMS: _nothing_goes_on,
}
"""What the reason of a halt claims, looked up without the rules of those who halt."""

Check = Callable[[Promises, Record, Any, State], None]
_BEFORE: Final[dict[type[events.Event], Check]] = {
    events.AttemptPlanned: Promises._planned,
    events.AttemptSpawned: Promises._spawned,
    events.AttemptAdopted: Promises._adopted,
    events.AttemptExited: Promises._exited,
    events.AttemptLost: Promises._lost,
    events.GateOpened: Promises._gate,
    events.DispatchHalted: Promises._halted,
    events.CommitCreated: Promises._commit,
    events.ProviderParked: Promises._parked,
}
_AFTER: Final[dict[type[events.Event], Check]] = {events.ItemMoved: Promises._moved}
