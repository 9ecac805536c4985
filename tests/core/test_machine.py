"""Any life of a daemon: random people, processes, clocks and restarts, and what holds at every moment.

Two projects, one with pre-phases, verify commands and approvals. The rules are what the world may do between two
plans; after each one, what the domain promises is checked.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.config import Budget, Guardrails, Pipeline, Triage, Workspace
from golemd.api.faults import Fault
from golemd.api.model import ATTEMPT_OVER, ENDED, RUN_OVER, AttemptState, GateKind, RunState, Status
from golemd.core import commands as cmd
from golemd.core import snapshot
from golemd.core.admission import Room
from golemd.core.asides import ASIDE_AFTER_US
from golemd.core.budgets import day_is_spent, spent_before_start
from golemd.core.decide import decide
from golemd.core.imports.entries import Backlog, Entry
from golemd.core.plan import Plan
from golemd.core.scheduler import select_actions, why
from golemd.core.slots import Limits, Tally, busy
from tests.core import full_scan
from tests.core.true_reasons import is_true
from tests.core.world import FAILS, NOON, SECOND, End, World, config, phase, picture

LIMITS: Final = Limits(max_agents=3, max_concurrent_runs=4, min_free_gb=1.0)
CONCURRENT: Final = {"demo": 2, "two": 2}
WIP: Final = {"demo": 2, "two": 3}
QUICK: Final = {"quick": Pipeline("quick", (), (phase("only"),))}

AGENT_ENDS: Final = (
    End(),
    End(),
    End(result={"result": "subphase_complete"}),
    End(result={"result": "blocked", "question": "?"}),
    End(result={"result": "blocked", "updated_assessments": {"size": "small"}}),
    FAILS,
    End(result=None),
    End(result=b"{"),
    End(result=None, reason="timeout", status=None),
    End(result=None, reason="memory", signal=9, status=None, oom_kills=1, memory_limit_mb=64),
    End(result=None, reason="stopped", status=None),
    End(result=None, reason="spawn_failed"),
    End(result=None, reason="unusable"),
    End(result={"updated_assessments": {"size": "large"}, "follow_ups": ["t", "more"]}),
    End(result={"pipeline_type": "quick"}),
    End(result={"pipeline_type": "none", "duplicates": ["TWO-1", "TWO-2"]}),
    End(result={"item_id": "OTHER-1"}),
    End(trouble="rewritten"),
    End(lost=True),
    End(result=None, said=cmd.Said(trouble="limit", session="s")),
    End(result=None, said=cmd.Said(trouble="limit", reset_us=NOON + 300 * SECOND)),
    End(result=None, said=cmd.Said(trouble="transient", cannot_resume=True, cost_usd=0.5)),
    End(said=cmd.Said(cost_usd=0.6, output_tokens=400)),
    End(result=None, said=cmd.Said(trouble="budget", session="s", cost_usd=0.7)),
)
VERIFY_ENDS: Final = (
    End(),
    End(),
    End(status=1),
    End(reason="timeout", status=None),
    End(reason="spawn_failed"),
    End(reason="unusable"),
    End(reason="stopped", status=None),
    End(lost=True),
)
STARTS: Final = ("run.created", "phase.started", "attempt.planned", "run.completed", "item.completed")
items = st.integers(0, 9)
PLACES: Final = (("", ""), ("ship", ""), ("scope", ""), ("last", ""), ("look", "quick"), ("nowhere", "unknown"))


class Watched(World):
    """A world that looks at the limits whenever something was promoted or launched."""

    def plan(self) -> Plan:
        steps = super().plan()
        with full_scan.looking_everywhere(self.state):
            assert super().plan() == steps
        return steps

    def step(self) -> bool:
        before = len(self.records)
        paused = {item.id for item in self.state.items.values() if item.is_held}
        done = super().step()
        assert not [each for each in self.records[before:] if each.item in paused and each.type in STARTS]
        fresh = [record for record in self.records[before:] if record.type in ("item.moved", "phase.started")]
        for record in self.records[before:]:
            if isinstance(record.data, ev.AttemptPlanned) and record.data.kind == "agent":
                assert spent_before_start(self.state, self.state.items[record.item]) is None
        tally = Tally.of(self.state)
        for record in fresh:
            if isinstance(record.data, ev.PhaseStarted):
                assert tally.slots[record.project] <= CONCURRENT[record.project]
                assert sum(tally.slots.values()) <= LIMITS.max_agents
            elif isinstance(record.data, ev.ItemMoved) and record.data.to is Status.IN_PROGRESS:
                assert tally.wip[record.project] <= WIP[record.project]
                assert sum(tally.wip.values()) <= LIMITS.max_concurrent_runs
        return done


def the_projects() -> World:
    world = Watched(LIMITS)
    world.notifies = True
    gated = phase("build", verify=("make",), gate=("design", "safety"), budget_usd=1.0)
    bounds: dict[str, Any] = {"max_rounds": 2, "max_retries": 1, "max_fix_attempts": 1}
    bootstrap = Workspace(setup=("install", "link"), copy=(".env",))
    demo = config(
        "demo",
        (gated, "ship"),
        ("scope",),
        bootstrap=bootstrap,
        max_wip=WIP["demo"],
        max_concurrent=CONCURRENT["demo"],
        budget=Budget(2.0, 0.0, 1000),
        **bounds,
    )
    world.project(demo)
    two = {"max_wip": WIP["two"], "max_concurrent": CONCURRENT["two"], "budget": Budget(day_usd=1.5), **bounds}
    world.project(config("two", ("one", "last"), ("look",), more=QUICK, triage=Triage(), **two))
    return world


class Daemon(RuleBasedStateMachine):
    """Rules are what may happen; invariants are what is promised."""

    @initialize()
    def begin(self) -> None:
        self.world = the_projects()
        for project in ("demo", "two"):
            self.world.add(project=project)
            self.world.start(project=project)

    # --- people --------------------------------------------------------------------------------------------------

    def ask(self, call: calls.Change[Any], **facts: Any) -> None:
        """A call, which may be refused: then nothing has changed."""
        before = picture(self.world.state)
        try:
            self.world.ask(call, **facts)
        except Fault as fault:
            hint = fault.hint
        else:
            return
        assert hint
        assert picture(self.world.state) == before

    def pick(self, number: int, pool: Any) -> str:
        names = list(pool)
        return names[number % len(names)] if names else "NONE-1"

    @rule(project=st.sampled_from(["demo", "two"]), priority=st.integers(-1, 2), on=items, depends=st.booleans())
    def add(self, project: str, priority: int, on: int, depends: bool) -> None:
        known = [*self.world.state.items, *self.world.state.ended]
        dependencies = (self.pick(on, known),) if depends and known else ()
        self.ask(calls.ItemAdd(project=project, title="t", priority=priority, dependencies=dependencies))

    @rule(
        project=st.sampled_from(["demo", "two"]),
        some=st.lists(st.tuples(items, st.sampled_from(list(Status)), st.sampled_from(PLACES), items), max_size=3),
    )
    def bring(self, project: str, some: list[tuple[int, Status, tuple[str, str], int]]) -> None:
        """Items come in from elsewhere, wherever they stood there; some came before."""
        entries = tuple(
            Entry(
                key=f"{project}-x{number}",
                file="f",
                line=1,
                title="t",
                status=status,
                phase=phase,
                pipeline=pipeline,
                dependencies=(f"{project}-x{on}",),
                came_from=list(Status)[on % 4],
                questions=("?",) * (1 + on % 2) if status is Status.BLOCKED else (),
                resolution="completed" if status in ENDED else "",
                paused=on == 9,
            )
            for number, status, (phase, pipeline), on in {each[0]: each for each in some}.values()
        )
        self.ask(calls.Import(project=project, format="jsonl", path="/x"), backlog=Backlog(entries))

    @rule(item=items, on=items)
    def edit(self, item: int, on: int) -> None:
        known = [*self.world.state.items, *self.world.state.ended]
        depends = (self.pick(on, known),) if on % 3 == 0 and known else ()
        named = self.pick(item, self.world.state.items)
        self.ask(calls.ItemEdit(id=named, dependencies=depends, priority=on, size=("small", None, "large")[on % 3]))

    @rule(item=items, seldom=items)
    def cancel(self, item: int, seldom: int) -> None:
        if seldom < 3:
            self.ask(calls.ItemCancel(id=self.pick(item, self.world.state.items)))

    @rule(item=items)
    def reopen(self, item: int) -> None:
        named = self.pick(item, self.world.state.ended)
        self.ask(calls.ItemReopen(id=named), ended=self.world.partial(named).items.get(named))

    @rule(project=st.sampled_from(["demo", "two"]), cap=st.integers(1, 12), continuous=st.booleans())
    def start(self, project: str, cap: int, continuous: bool) -> None:
        self.ask(calls.RunStart(project=project, cap=cap, continuous=continuous))

    @rule(first=items, second=items, auto=st.booleans(), rest=st.booleans())
    def start_on_targets(self, first: int, second: int, auto: bool, rest: bool) -> None:
        named = (self.pick(first, self.world.state.items), self.pick(second, self.world.state.items))
        project = self.pick(first, ["demo", "two"])
        self.ask(calls.RunStart(project=project, targets=named, auto_advance=auto, then_rest=rest))

    @rule(project=st.sampled_from(["demo", "two"]), word=st.sampled_from(["size=small", "priority=1..", "status=new"]))
    def start_by_filter(self, project: str, word: str) -> None:
        self.ask(calls.RunStart(project=project, only=(word,)))

    @rule(named=st.booleans(), item=items)
    def triage(self, named: bool, item: int) -> None:
        ids = (self.pick(item, self.world.state.items),) if named else ()
        self.ask(calls.Triage(project="two", ids=ids))

    @rule(item=items, after_phase=st.booleans(), seldom=items)
    def pause(self, item: int, after_phase: bool, seldom: int) -> None:
        whole = {"project": "two"} if seldom == 0 else {"id": self.pick(item, self.world.state.items)}
        self.ask(calls.Pause(**whole, after_phase=after_phase))

    @rule(item=items, to=st.sampled_from(["", "", "build", "ship", "one", "last", "scope"]), force=st.booleans())
    def advance(self, item: int, to: str, force: bool) -> None:
        self.ask(calls.ItemAdvance(id=self.pick(item, self.world.state.items), to=to, force=force))

    @rule(item=items, seldom=items)
    def resume(self, item: int, seldom: int) -> None:
        paused = [each.id for each in self.world.state.items.values() if each.paused]
        self.ask(calls.Resume(project="two") if seldom == 0 else calls.Resume(id=self.pick(item, paused)))

    @rule(project=st.sampled_from(["demo", "two"]), now=st.booleans())
    def stop(self, project: str, now: bool) -> None:
        self.ask(calls.RunStop(project=project, now=now))

    @rule(
        gate=items,
        option=items,
        changed=st.sampled_from(["", "", "shown", "tree"]),
        text=st.sampled_from(["because", "feature", "quick"]),
    )
    def decide_gate(self, gate: int, option: int, changed: str, text: str) -> None:
        named = self.pick(gate, [each.id for each in self.world.state.all_open_gates()])
        if named not in self.world.state.gates:
            return
        found = self.world.state.gates[named]
        options = [each.id for each in found.options]
        # Abort and reject less often than the rest, so that lives go on.
        chosen = options[0] if option < 6 else options[option % len(options)]
        content = None
        if found.kind is GateKind.APPROVAL:
            if changed == "tree":
                self.world.trees[found.run] = f"by hand {self.world.state.seq}"
            content = self.world.content(found.item)
        if found.kind is GateKind.BUDGET:
            text = ("1", "1000", "a lot")[option % 3]
        shown = "stale" if changed == "shown" else ""
        self.ask(calls.GateDecide(gate=named, option=chosen, text=text, content=shown), content=content)

    @rule(pre=st.booleans(), quick=st.booleans(), triage=st.booleans(), size=st.sampled_from(["small", "large"]))
    def configure(self, pre: bool, quick: bool, triage: bool, size: str) -> None:
        bounds: dict[str, Any] = {"max_wip": WIP["two"], "max_concurrent": CONCURRENT["two"], "max_retries": 1}
        bounds |= {"triage": Triage(enabled=triage), "guardrails": Guardrails(max_size=size)}
        bounds |= {"budget": Budget(day_usd=1.5 if quick else 0.0)}
        more = QUICK if quick else None
        self.world.configure(config("two", ("one", "last"), ("scope",) if pre else (), more=more, **bounds))

    # --- the outside ---------------------------------------------------------------------------------------------

    @rule(number=items, end=st.integers(0, 100))
    def process_ends(self, number: int, end: int) -> None:
        running = self.world.running()
        if running:
            attempt = running[number % len(running)]
            ends = AGENT_ENDS if attempt.kind == "agent" else VERIFY_ENDS
            self.world.end(attempt.id, ends[end % len(ends)])

    @rule(ends=st.lists(st.integers(0, 40), max_size=12))
    def work_goes_on(self, ends: list[int]) -> None:
        """Several processes end one after the other, most of them well."""
        for end in ends:
            self.world.calm()
            running = self.world.running()
            if running:
                kinds = AGENT_ENDS if running[0].kind == "agent" else VERIFY_ENDS
                self.world.end(running[0].id, kinds[end] if end < len(kinds) else End())

    @rule(number=items)
    def effect(self, number: int) -> None:
        """One effect is carried out, and nothing else is planned for a while."""
        effects = self.world.plan().effects
        if effects:
            self.world.carry_out(effects[number % len(effects)])

    @rule(number=items, doing=st.sampled_from(["preparing", "committing"]))
    def trouble(self, number: int, doing: str) -> None:
        busy_runs = [run.id for _, run in self.world.state.live_runs() if busy(run) and not run.phase.live]
        if busy_runs:
            self.world.apply(cmd.ReportTrouble(run=self.pick(number, busy_runs), doing=doing, message="no room"))

    @rule(hinders=st.booleans())
    def a_day_passes(self, hinders: bool) -> None:
        self.world.hindrances = ("big is too big to be kept",) if hinders else ()
        self.world.now_us += ASIDE_AFTER_US

    @rule(number=items)
    def a_worktree_vanishes(self, number: int) -> None:
        self.world.gone.add(self.pick(number, self.world.state.runs))

    @rule(number=items, usable=st.booleans())
    def not_spawned(self, number: int, usable: bool) -> None:
        planned = [each.id for each in self.world.state.attempts.values() if each.state is AttemptState.PLANNED]
        if planned:
            self.world.apply(cmd.ReportNotSpawned(attempt=self.pick(number, planned), message="m", usable=usable))

    @rule(seconds=st.sampled_from([0, 1, 5, 400, 20_000]))
    def time_passes(self, seconds: int) -> None:
        self.world.now_us += seconds * SECOND

    @rule(free=st.sampled_from([0, None, None, None]))
    def the_disk_fills_or_empties(self, free: int | None) -> None:
        self.world.room = Room(disk_bytes=free, disk_at="/state")

    # --- the daemon ----------------------------------------------------------------------------------------------

    @rule()
    def plan_once(self) -> None:
        """What plan proposes, decide admits: World.step asserts it."""
        self.world.step()

    @rule()
    def plan_to_the_end(self) -> None:
        """Planning reaches a point where it proposes nothing more."""
        self.world.calm()
        if self.world.plan().short:
            assert self.world.plan().wake_at_us is not None, "nobody would look again whether there is room"
            return
        for project in self.world.state.projects.values():
            if project.dispatch.on and not project.dispatch.continuous:
                assert self.moves_by_itself(project.name), "it is on, and nothing would ever move it"

    @rule()
    def restart(self) -> None:
        live = picture(self.world.state)
        again = self.world.replay()
        assert picture(again) == live
        self.world.restart()

    @rule()
    def restart_from_a_snapshot(self) -> None:
        """The state as bytes is the state; from then on everything is folded on top of what was read back."""
        live = self.world.state
        taken = snapshot.picture(live)
        written = b"".join(snapshot.pieces(taken))
        again = snapshot.restored(written)
        assert picture(again) == picture(live)
        assert full_scan.orders(again) == full_scan.orders(live)
        assert b"".join(snapshot.pieces(snapshot.picture(again))) == written
        self.world.restart(again)

    @rule(how=st.sampled_from(["end", "keep", "", "", ""]))
    def stop_the_daemon(self, how: str) -> None:
        if not how:
            return
        self.world.stopping = how
        before = Counter(self.world.types())["attempt.planned"]
        self.world.calm()
        assert Counter(self.world.types())["attempt.planned"] == before
        assert not (how == "end" and self.world.running())
        self.restart()

    def moves_by_itself(self, project: str) -> bool:
        """Whether a process or time will move something of the project, or another project holds its place."""
        state = self.world.state
        if any(each.until_us > self.world.now_us for each in state.providers.values()):
            return True
        if day_is_spent(state, project, self.world.now_us) is not None:
            return True
        mine = [(item, run) for item, run in state.live_runs() if run.project == project]
        if any(run.phase.again_us > self.world.now_us for _, run in mine):
            return True
        if any(state.runs[each.run].project == project for each in self.world.running()):
            return True
        tally = Tally.of(state)
        agents_full = sum(tally.slots.values()) >= LIMITS.max_agents
        return agents_full or sum(tally.wip.values()) >= LIMITS.max_concurrent_runs

    # --- what is promised ----------------------------------------------------------------------------------------

    @invariant()
    def the_index_is_what_a_full_scan_finds(self) -> None:
        state = self.world.state
        assert full_scan.kept_index(state) == full_scan.index_of(state)

    @invariant()
    def what_is_chosen_by_the_index_is_what_a_full_scan_chooses(self) -> None:
        world = self.world
        for limits in (LIMITS, Limits(max_agents=50, max_concurrent_runs=50)):
            asked = (world.state, limits, world.now_us, world.foreign)
            assert select_actions(*asked) == full_scan.select_actions(*asked)

    @invariant()
    def blocked_means_exactly_that_a_gate_is_open(self) -> None:
        for item in self.world.state.items.values():
            gates = self.world.state.open_gates(item.id)
            assert (item.status is Status.BLOCKED) == bool(gates)
            for gate in gates:
                assert gate.options
                assert not gate.run or self.world.state.runs[gate.run].state is RunState.AWAITING

    @invariant()
    def every_open_gate_has_a_way_out(self) -> None:
        for gate in self.world.state.all_open_gates():
            text = "5000" if gate.kind is GateKind.BUDGET else "feature"
            call = calls.GateDecide(gate=gate.id, option=gate.default or gate.options[0].id, text=text)
            decided = decide(self.world.state, cmd.Asked(call=call), self.world.now_us)
            assert decided.fault is None
            assert decided.drafts

    @invariant()
    def what_is_paused_can_be_resumed(self) -> None:
        for item in self.world.state.items.values():
            if item.paused and item.status not in ENDED:
                asked = cmd.Asked(call=calls.Resume(id=item.id))
                assert decide(self.world.state, asked, self.world.now_us).drafts

    @invariant()
    def limits_hold(self) -> None:
        state = self.world.state
        launched = Counter(state.runs[each.run].project for each in self.world.running())
        for project, count in launched.items():
            assert count <= CONCURRENT[project]
        assert sum(launched.values()) <= LIMITS.max_agents

    def live_agents(self) -> list[Any]:
        return [each for each in self.world.state.attempts.values() if each.state not in ATTEMPT_OVER]

    @invariant()
    def a_run_has_at_most_one_live_attempt_and_its_phase_names_it(self) -> None:
        live = Counter(each.run for each in self.live_agents())
        assert all(count == 1 for count in live.values())
        for each in self.live_agents():
            run = self.world.state.runs[each.run]
            assert each.id in {phase.live for phase in run.phases}

    @invariant()
    def why_gives_a_true_reason_for_every_live_item_that_does_not_run(self) -> None:
        state = self.world.state
        running = {each.item for each in self.world.running()}
        for item in state.items.values():
            sentence = why(state, item, LIMITS, self.world.now_us)
            run = state.run_of(item)
            leaving = run is not None and run.leaving
            unheld = item.status is not Status.BLOCKED and not item.is_held and not leaving
            if item.status in ENDED or (item.id in running and unheld):
                assert sentence is None
            elif not (item.run and busy(state.runs[item.run])):
                assert sentence is not None
                assert is_true(self.world, item), sentence

    @invariant()
    def what_has_ended_is_one_row_or_is_being_put_away(self) -> None:
        state = self.world.state
        for item in state.items.values():
            if item.status in ENDED:
                mine = [run for run in state.runs.values() if run.item == item.id]
                assert all(run.state in RUN_OVER for run in mine)
                assert any(not (state.is_put_away(run) and run.reported) for run in mine)
        for kept in (state.runs, state.attempts, state.gates):
            assert {each.item for each in kept.values()} <= set(state.items)
        assert not set(state.items) & set(state.ended)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        state = self.world.state
        assert picture(self.world.replay()) == picture(state)
        for item in state.items.values():
            past = self.world.partial(item.id)
            assert past.items[item.id] == item
            for name in ("runs", "attempts", "gates"):
                mine = {key: value for key, value in getattr(state, name).items() if value.item == item.id}
                if name == "runs":  # how many items a run added is told by the records of those
                    added = {key: run.follow_ups_added for key, run in mine.items()}
                    past.runs |= {key: replace(past.runs[key], follow_ups_added=many) for key, many in added.items()}
                assert {key: getattr(past, name)[key] for key in mine} == mine


TestDaemon = Daemon.TestCase
TestDaemon.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
