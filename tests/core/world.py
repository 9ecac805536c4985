"""A world without disk, clock or processes: commands in, records out, and a scripted outside that answers effects.

Agents and verify commands end as the script says, phase by phase and command by command; without a word in the script
they succeed. Trees and commits are invented, each one new.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from golemd.api import calls
from golemd.api.config import (
    TRIAGE,
    Agent,
    Budget,
    Execution,
    Guardrails,
    Phase,
    Pipeline,
    ProjectConfig,
    Triage,
    Workspace,
)
from golemd.api.events import Draft, Event, Record
from golemd.api.model import Actor, Attempt, AttemptKind, AttemptState, Content, Gate, Item, Run, WorktreeState
from golemd.api.reports import Report
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core import scheduler, tokens
from golemd.core.admission import Room
from golemd.core.configuration import digest
from golemd.core.decide import decide
from golemd.core.decide.common import Decided
from golemd.core.evolve import fold
from golemd.core.exclusion import is_shared
from golemd.core.report import Telling, to_json, written_through
from golemd.core.slots import Limits
from golemd.core.state import State

NOON: Final = 1_795_262_400_000_000  # 2026-11-21T12:00:00Z
SECOND: Final = 1_000_000
ALICE: Final = Actor(uid=1000, user="alice", host="box", client="test")
MANY: Final = Limits(max_agents=100, max_concurrent_runs=100)
UNTRIAGED: Final = Triage(enabled=False)
USUAL_GUARDRAILS: Final = Guardrails()
PLAIN_WORKSPACE: Final = Workspace()
UNLIMITED: Final = Budget()
ROUNDS: Final = 5_000  # of planning, before a test calls it endless


class End(Struct, frozen=True):
    """How one process ends and what it leaves. A dict is laid over a good result; None leaves no result file."""

    result: dict[str, Any] | bytes | None = {}
    status: int | None = 0
    signal: int | None = None
    reason: str = ""
    tree: str = ""
    trouble: str = ""
    lines: tuple[str, ...] = ()
    error: str = ""
    problem: str = ""
    lost: bool = False
    leftovers: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    not_spawned: str = ""
    usable: bool = True
    said: cmd.Said = cmd.Said()
    oom_kills: int = 0
    memory_limit_mb: int = 0


FAILS: Final = End(result={"result": "failed", "summary": "could not"})


def phase(name: str, **fields: Any) -> Phase:
    return Phase(name, **fields)


def config(
    name: str = "demo",
    phases: tuple[str | Phase, ...] = ("build",),
    pre: tuple[str | Phase, ...] = (),
    more: dict[str, Pipeline] | None = None,
    triage: Triage = UNTRIAGED,
    guardrails: Guardrails = USUAL_GUARDRAILS,
    bootstrap: Workspace = PLAIN_WORKSPACE,
    budget: Budget = UNLIMITED,
    **execution: Any,
) -> ProjectConfig:
    """A configuration with one pipeline, called feature; roomy where the test says nothing."""
    roomy = {"agent": "robot", "max_wip": 50, "max_concurrent": 50, "circuit_breaker": 0, **execution}
    pipeline = Pipeline("feature", _phases(pre), _phases(phases))
    return ProjectConfig(
        name,
        prefix=name.upper(),
        base_branch="main",
        triage=triage,
        guardrails=guardrails,
        budget=budget,
        execution=Execution(**roomy),
        workspace=bootstrap,
        agents={"robot": Agent(kind="scripted")},
        pipelines={"feature": pipeline, **(more or {})},
    )


def _phases(named: tuple[str | Phase, ...]) -> tuple[Phase, ...]:
    return tuple(Phase(each) if isinstance(each, str) else each for each in named)


def stamp(us: int) -> str:
    moment = datetime.fromtimestamp(us // SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{us % SECOND:06}Z"


def as_written(record: Record) -> Record:
    """A record as the journal holds it."""
    data = msgspec.json.decode(msgspec.json.encode(record.data), type=type(record.data))
    return msgspec.structs.replace(record, data=data)


def picture(state: State) -> dict[str, Any]:
    """All that a state holds, in a form that can be compared, orders included."""
    names = ("projects", "configs", "items", "ended", "runs", "attempts", "gates", "tokens", "turns")
    found: dict[str, Any] = {name: getattr(state, name).copy() for name in (*names, "providers", "spent")}
    found |= {"seq": state.seq, "ts": state.ts, "first": state.first}
    found |= {"children": {item: [*mine] for item, mine in state.children.items()}}
    found["orders"] = [list(getattr(state, name)) for name in names if name not in ("configs", "tokens", "turns")]
    found["trail"] = {item: list(seqs) for item, seqs in state.trail.items()}
    return found


class World:
    """One daemon's life in memory."""

    def __init__(self, limits: Limits = MANY) -> None:
        self.state = State()
        self.limits = limits
        self.records: list[Record] = []
        self.now_us = NOON
        self.in_flight: set[str] = set()
        self.stopping = ""
        self.full = False
        self.foreign: frozenset[str] = frozenset()
        self.room = Room()
        self.prune_at_us: int | None = None
        self.notifies = False
        self.script: dict[str, list[End]] = {}
        self.gone: set[str] = set()  # runs whose worktrees somebody has removed
        self.uncopied: tuple[str, ...] = ()
        self.hindrances: tuple[str, ...] = ()  # why worktrees cannot be set aside
        self.held: set[str] = set()  # phases whose agents go on until the test ends them
        self.ends: dict[str, End] = {}
        self.trees: dict[str, str] = {}
        self.heads: dict[str, str] = {}
        self.made = 0
        self.missing: tuple[str, ...] = ()  # phases whose commits are gone from the history
        self.reports: dict[str, bytes] = {}
        self.talks = False  # whether agents are of a kind whose conversations can be gone on with

    # --- commands ------------------------------------------------------------------------------------------------

    def apply(self, command: cmd.Command, *, body: str = "", token: str = "") -> Decided:
        """decide → records → fold. A fault passes through, and the test of refusals sees that nothing changed."""
        decided = decide(self.state, command, self.now_us)
        if decided.fault is not None:
            body = token = ""
        last = len(decided.drafts) - 1
        for index, draft in enumerate(decided.drafts):
            self._record(draft, body if index == 0 else "", token, more=index < last)
        return decided

    def _record(self, draft: Draft, body: str, cause: str, *, more: bool) -> None:
        seq = self.state.seq + 1
        record = Record(
            seq=seq,
            d=seq - 1,
            ts=stamp(self.now_us),
            type=draft.event.TYPE,
            project=draft.project,
            item=draft.item,
            cause=draft.cause or cause,
            more=more,
            body=body,
            data=draft.event,
            prev="",
            h="",
        )
        self.records.append(record)
        fold(self.state, record)

    def happen(self, event: Event, item: str = "", project: str = "demo") -> None:
        """A fact, by itself, as an older or a later golemd may have recorded it."""
        self._record(Draft(event, project, item), "", "", more=False)

    def ask(self, call: calls.Change[Any], agent: str = "", **facts: Any) -> Decided:
        """A person's (or an agent's) call."""
        body = tokens.body_of(call) if call.token else ""
        command = cmd.Asked(call=call, actor=ALICE, agent=agent, facts=cmd.Facts(**facts))
        return self.apply(command, body=body, token=call.token)

    def replay(self) -> State:
        """A fresh state from the records as the journal holds them."""
        fresh = State()
        for record in self.records:
            fold(fresh, as_written(record))
        return fresh

    def partial(self, item: str) -> State:
        """A small state from one item's records alone."""
        past = State(shrink=False)
        for seq in self.state.trail.get(item, ()):
            fold(past, self.records[seq - 1])
        return past

    def report(self, run: str) -> Report:
        """The report of a run as the journal tells it, read as it is written."""
        item = run.partition(".")[0]
        records = [as_written(self.records[seq - 1]) for seq in self.state.trail[item]]
        telling = Telling(run, max(written_through(record, run) for record in records))
        for record in records:
            if telling.take(record):
                break
        return telling.report(self.state.configs)

    # --- short words ---------------------------------------------------------------------------------------------

    def project(self, settings: ProjectConfig | None = None, prefix: str = "") -> str:
        found = settings or config()
        root = f"/src/{found.name}"
        place = {"root": root, "common_dir": f"{root}/.git", "head_branch": "trunk"}
        self.ask(calls.ProjectInit(root=root, prefix=prefix), **place, config=found, config_digest=digest(found))
        return found.name

    def configure(self, settings: ProjectConfig) -> Decided:
        return self.ask(calls.Reload(), configs=((settings.name, settings, digest(settings)),))

    def add(self, title: str = "Do it", **fields: Any) -> str:
        return self.ask(calls.ItemAdd(title=title, **fields)).drafts[0].item

    def start(self, cap: int | None = None, continuous: bool = False, project: str = "") -> Decided:
        return self.ask(calls.RunStart(project=project, cap=cap, continuous=continuous))

    def decide(self, gate: str, option: str, text: str = "", **facts: Any) -> Decided:
        return self.ask(calls.GateDecide(gate=gate, option=option, text=text), **facts)

    def reopen(self, item: str) -> Decided:
        whole = self.partial(item).items.get(item)
        return self.ask(calls.ItemReopen(id=item), ended=whole)

    def item(self, item: str) -> Item:
        return self.state.items[item]

    def run(self, item: str) -> Run:
        return self.state.runs[self.item(item).run]

    def gate(self, item: str) -> Gate:
        (found,) = self.state.open_gates(item)
        return found

    def status(self, item: str) -> str:
        return str(self.state.known(item).status)

    def halt_reason(self, project: str = "demo") -> str:
        dispatch = self.state.projects[project].dispatch
        return "on" if dispatch.on else dispatch.halt_reason

    def types(self, item: str = "") -> list[str]:
        return [record.type for record in self.records if not item or record.item == item]

    def running(self) -> list[Attempt]:
        return [each for each in self.state.attempts.values() if each.state is AttemptState.SPAWNED]

    def content(self, item: str) -> Content:
        """What the item's workspace holds at this moment."""
        run = self.run(item).id
        return Content(commit=self.heads[run], tree=self.trees[run])

    # --- planning and doing --------------------------------------------------------------------------------------

    def plan(self) -> planning.Plan:
        busy = frozenset(self.in_flight)
        world = planning.World(
            now_us=self.now_us,
            in_flight=busy,
            stopping=self.stopping,
            full=self.full,
            foreign=self.foreign,
            notifies=self.notifies,
            room=self.room,
            prune_at_us=self.prune_at_us,
        )
        return planning.plan(self.state, world, self.limits)

    @property
    def goes_on_at(self) -> int | None:
        """When work goes on by itself, if nothing but time is missing."""
        return scheduler.wake_at(self.state, self.now_us)

    def step(self) -> bool:
        """Plan once and carry it out; whether anything was done. What plan proposes, decide must admit."""
        steps = self.plan()
        for command in steps.commands:
            assert self.apply(command).drafts, f"plan proposed what decide does not admit: {command}"
        for effect in steps.effects:
            self.carry_out(effect)
        return bool(steps.effects or steps.commands)

    def calm(self) -> None:
        """Step until only running processes, people or time can move anything."""
        for _ in range(ROUNDS):
            if not self.step():
                return
        raise AssertionError("planning finds no end")

    def settle(self, *, wait: bool = True) -> None:
        """Calm, with processes that end by the script, and the clock put forward when only time is missing: for what
        waits for it, not until worktrees are set aside.
        """
        for _ in range(ROUNDS):
            self.calm()
            ending = next((each for each in self.running() if not self._holds(each)), None)
            moment = self.goes_on_at
            if ending is not None:
                self.end(ending.id)
            elif wait and moment is not None and not self.running():
                self.now_us = moment
            else:
                return
        raise AssertionError("the work finds no end")

    def _holds(self, attempt: Attempt) -> bool:
        return attempt.kind is AttemptKind.AGENT and attempt.phase in self.held

    def go(self, **start: Any) -> None:
        """Dispatch, and let everything happen."""
        self.start(**start)
        self.settle()

    def end(self, attempt: str, end: End | None = None) -> None:
        """A running process ends."""
        found = self.state.attempts[attempt]
        end = end or self._next_end(found)
        self.ends[attempt] = end
        self.in_flight -= {f"attempt:{attempt}", f"stop:{attempt}"}
        if found.kind is AttemptKind.AGENT and found.phase != TRIAGE:
            self.trees[found.run] = end.tree or self._fresh("tree")
        if end.lost:
            self.apply(cmd.ReportLost(attempt=attempt, reason="it is gone", said=end.said))
        else:
            report = cmd.ReportExit(
                attempt=attempt,
                status=end.status,
                signal=end.signal,
                reason=end.reason,
                oom_kills=end.oom_kills,
                memory_limit_mb=end.memory_limit_mb,
            )
            self.apply(report)

    def _next_end(self, attempt: Attempt) -> End:
        key = attempt.phase if attempt.kind is AttemptKind.AGENT else attempt.command
        left = self.script.get(key)
        return left.pop(0) if left else End()

    def restart(self, known: State | None = None) -> None:
        """The daemon dies and comes back: all it knows is its journal, or what is given; processes went on."""
        self.state = self.replay() if known is None else known
        self.in_flight.clear()
        self.stopping = ""
        self.apply(cmd.ReportDaemonStarted(version="1", pid=1, boot_id="boot"))

    def _fresh(self, kind: str) -> str:
        self.made += 1
        return f"{kind}{self.made}"

    def carry_out(self, effect: planning.Effect) -> None:
        """The outside does what it is asked and reports."""
        _EFFECTS[type(effect)](self, effect)

    def _enter(self, effect: planning.Enter) -> None:
        run = self.state.runs[effect.id]
        if run.worktree is WorktreeState.READY and run.id in self.gone:
            self.gone.discard(run.id)
            self.apply(cmd.ReportGone(run=run.id))
            return
        head = self.heads.setdefault(run.id, self._fresh("base"))
        is_ready = run.worktree is WorktreeState.READY
        wanted = self.state.configs[run.config_digest].workspace.copy
        report = cmd.ReportEntered(
            run=run.id,
            base_branch="main",
            base_commit=run.base_commit or head,
            branch="main" if is_shared(self.state, run) else f"golem/{run.item}",
            workspace=f"/trees/{run.item}",
            head=head,
            tree=self.trees.setdefault(run.id, self._fresh("tree")),
            refs="refs",
            missing=self.missing if run.index else (),
            copied=0 if is_ready else len(wanted),
            warnings=() if is_ready else self.uncopied,
        )
        self.apply(report)

    def _spawn(self, effect: planning.Spawn) -> None:
        attempt = self.state.attempts[effect.id]
        key = attempt.phase if attempt.kind is AttemptKind.AGENT else attempt.command
        coming = next(iter(self.script.get(key, ())), None)
        if coming is not None and coming.not_spawned:
            self.script[key].pop(0)
            self.apply(cmd.ReportNotSpawned(attempt=attempt.id, message=coming.not_spawned, usable=coming.usable))
            return
        self.in_flight.add(effect.key)
        begun = self.talks and attempt.kind is AttemptKind.AGENT
        session = (self.state.runs[attempt.run].phase.session or self._fresh("session")) if begun else ""
        report = cmd.ReportSpawned(attempt=attempt.id, pid=7, start=1, shim_pid=6, boot_id="boot", session=session)
        self.apply(report)

    def _watch(self, effect: planning.Watch) -> None:
        self.in_flight.add(effect.key)
        report = cmd.ReportSpawned(attempt=effect.id, pid=7, start=1, shim_pid=6, boot_id="boot", adopted=True)
        self.apply(report)

    def _stop(self, effect: planning.Stop) -> None:
        self.end(effect.id, End(result=None, status=None, signal=15, reason="stopped"))

    def _fence(self, effect: planning.Fence) -> None:
        self.end(effect.id, End(result=None, status=None, reason="never_started"))

    def _examine(self, effect: planning.Examine) -> None:
        attempt = self.state.attempts[effect.id]
        end = self.ends[effect.id]
        result = end.result
        if isinstance(result, dict):
            good = {"item_id": attempt.item, "phase": attempt.phase, "result": "phase_complete", "summary": "did it"}
            result = msgspec.json.encode({**good, **result})
        report = cmd.ReportExamined(
            attempt=attempt.id,
            result=result if attempt.kind is AttemptKind.AGENT else None,
            result_problem=end.problem,
            head=self.heads.get(attempt.run, ""),
            tree=self.trees.get(attempt.run, ""),
            trouble=end.trouble,
            lines=end.lines,
            leftovers=end.leftovers,
            nested=end.nested,
            said=end.said,
            error=end.error,
        )
        self.apply(report)

    def _commit(self, effect: planning.Commit) -> None:
        run = self.state.runs[effect.id]
        self.heads[run.id] = self._fresh("commit")
        self.trees[run.id] = run.phase.tree
        head = self.heads[run.id]
        report = cmd.ReportCommitted(
            run=run.id, attempt=run.phase.accepted, head=head, tree=run.phase.tree, commit=head, message="m", files=1
        )
        self.apply(report)

    def _flush(self, effect: planning.Flush) -> None:
        head = self.heads[effect.id] = self._fresh("commit")
        self.apply(cmd.ReportFlushed(run=effect.id, head=head, commit=head, message="m", files=1))

    def _keep(self, effect: planning.Keep) -> None:
        run = self.state.runs[effect.run]
        name = self.state.attempts[effect.id].phase
        self.trees[run.id] = next(each.start_tree for each in run.phases if each.name == name)
        self.apply(cmd.ReportKept(run=effect.run, then="put_back", attempt=effect.id, ref="refs/golem/kept/x"))

    def _prune(self, effect: planning.Prune) -> None:
        self.prune_at_us = self.now_us + 86_400 * SECOND

    def _set_aside(self, effect: planning.SetAside) -> None:
        if self.hindrances:
            self.apply(cmd.ReportKept(run=effect.id, then="left", listed=self.hindrances))
            return
        head, tree = self.heads[effect.id], self.trees[effect.id]
        kept = cmd.ReportKept(run=effect.id, then="aside", ref="kept/x", commit="k", head=head, tree=tree, staged=tree)
        self.apply(kept)

    def _rebuild(self, effect: planning.Rebuild) -> None:
        run = self.state.runs[effect.id]
        assert run.aside is not None
        assert (run.aside.head, run.aside.tree) == (self.heads[run.id], self.trees[run.id])
        copied = len(self.state.configs[run.config_digest].workspace.copy)
        self.apply(cmd.ReportMade(run=run.id, copied=copied, warnings=self.uncopied))

    def _tidy(self, effect: planning.Tidy) -> None:
        self.apply(cmd.ReportKept(run=effect.id, then="removed"))

    def _notify(self, effect: planning.Notify) -> None:
        self.apply(cmd.ReportNotified(gate=effect.id, tries=1))

    def _write_report(self, effect: planning.WriteReport) -> None:
        report = self.report(effect.id)
        self.reports[report.run] = to_json(report)
        self.apply(cmd.ReportFiled(run=report.run, through=report.through, digests={"json": "digest"}))


_EFFECTS: Final[dict[type[planning.Effect], Callable[[World, Any], None]]] = {
    planning.Enter: World._enter,
    planning.Spawn: World._spawn,
    planning.Watch: World._watch,
    planning.Stop: World._stop,
    planning.Fence: World._fence,
    planning.Examine: World._examine,
    planning.Commit: World._commit,
    planning.Flush: World._flush,
    planning.Keep: World._keep,
    planning.Tidy: World._tidy,
    planning.Prune: World._prune,
    planning.SetAside: World._set_aside,
    planning.Rebuild: World._rebuild,
    planning.Notify: World._notify,
    planning.WriteReport: World._write_report,
}
