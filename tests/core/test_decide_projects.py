"""Projects, dispatches, the daemon's own records, and what agents may ask."""

from __future__ import annotations

from typing import Any, Final

import pytest

from golemd.api import calls
from golemd.api import events as ev
from golemd.api.faults import Fault, HumanRequired, Internal
from golemd.api.model import HaltReason
from golemd.core import commands as cmd
from golemd.core import plan as planning
from golemd.core.configuration import digest
from golemd.core.decide import decide
from golemd.core.decide.agents import admit
from golemd.core.decide.common import NOTHING
from tests.core.world import ALICE, NOON, World, config, phase, picture


def refusal(world: World, call: calls.Change[Any], **facts: Any) -> Fault:
    before = picture(world.state)
    with pytest.raises(Fault) as refused:
        world.ask(call, **facts)
    assert picture(world.state) == before
    return refused.value


def looked(name: str, folder: str = "") -> dict[str, Any]:
    found = config(name)
    root = f"/src/{folder or name}"
    return {"root": root, "common_dir": f"{root}/.git", "config": found, "config_digest": digest(found)}


# --- projects ----------------------------------------------------------------------------------------------------


def test_init_registers_a_repository_with_its_configuration() -> None:
    world = World()
    world.project()
    found = world.state.projects["demo"]
    assert (found.root, found.prefix, found.base_branch) == ("/src/demo", "DEMO", "main")
    assert world.state.config_of("demo") == config()


def test_without_a_configured_base_branch_the_one_checked_out_is_taken() -> None:
    world = World()
    from msgspec.structs import replace

    world.project(replace(config(), base_branch=""))
    assert world.state.projects["demo"].base_branch == "trunk"


def test_init_again_says_so_and_puts_a_new_configuration_into_force() -> None:
    world = World()
    world.project()
    again = world.ask(calls.ProjectInit(root="/src/demo", prefix="DEMO"), **looked("demo"))
    assert (again.drafts, again.note) == ((), "registered already")
    changed = {**looked("demo"), "config": config(max_wip=7), "config_digest": "other"}
    assert "in force" in world.ask(calls.ProjectInit(root="/src/demo"), **changed).note
    assert world.state.config_of("demo").execution.max_wip == 7


def test_what_init_refuses() -> None:
    world = World()
    world.project()
    init = calls.ProjectInit
    assert refusal(world, init(root="/x")).code == "no_facts"
    assert refusal(world, init(root="/x", prefix="NEW"), **looked("demo")).code == "prefix_fixed"
    assert refusal(world, init(root="/x", prefix="-x"), **looked("other")).code == "invalid_prefix"
    assert refusal(world, init(root="/x", prefix="N"), **looked("demo", "elsewhere")).code == "name_taken"
    world.ask(init(root="/src/two", prefix="DEMO2"), **looked("two"))
    taken = refusal(world, init(root="/x", prefix="DEMO"), **looked("other"))
    assert (taken.code, taken.data) == ("prefix_taken", {"proposal": "DEMO3"})


def test_a_project_is_removed_when_nothing_is_left_unfinished() -> None:
    world = World()
    world.project()
    item = world.add()
    assert refusal(world, calls.ProjectRemove(project="demo")).code == "items_left"
    world.ask(calls.ItemCancel(id=item))
    world.ask(calls.ProjectRemove(project="demo"))
    assert world.state.projects == {}
    assert picture(world.replay()) == picture(world.state)


def test_what_belongs_to_a_project_that_is_gone_says_so() -> None:
    world = World()
    world.project()
    hint = "Move it back, or forget the project: golemctl projects --remove demo"
    for prefix, code in (("", "prefix_taken"), ("NEW", "name_taken")):
        call = calls.ProjectInit(root="/src/moved", prefix=prefix)
        fault = refusal(world, call, root="/src/moved", common_dir="/src/moved/.git", config=config(), gone=("demo",))
        assert (fault.code, fault.hint) == (code, hint)
        assert fault.message.endswith(", and /src/demo is gone.")


@pytest.mark.parametrize("workspace", ["worktree", "shared"])
def test_where_the_repository_is_gone_a_project_is_forgotten_and_its_work_stays_as_it_is(workspace: str) -> None:
    world = World()
    world.project(config(phases=("plan", "last"), workspace=workspace))
    item = world.add()
    world.held = {"last"}
    world.go()
    remove, gone = calls.ProjectRemove(project="demo"), ("demo",)
    assert refusal(world, remove, gone=gone).code == "items_left", "it is not cancelled"
    world.ask(calls.ItemCancel(id=item))
    assert refusal(world, remove, gone=gone).code == "items_left", "its agent has not ended"
    world.end(f"{item}.1.last.1")
    for effect in world.plan().effects:
        if isinstance(effect, planning.Examine):
            world.carry_out(effect)
    assert refusal(world, remove).code == "items_left", "its workspace can be put away"
    kept, removed = (draft.event for draft in world.ask(remove, gone=gone).drafts)
    assert kept == ev.WorkKept(run=f"{item}.1", then="left", listed=("/src/demo is gone",))
    assert removed == ev.ProjectRemoved()
    assert [type(effect) for effect in world.plan().effects] == [planning.WriteReport]
    world.calm()
    assert picture(world.replay()) == picture(world.state)


def test_reload_puts_changed_configurations_into_force() -> None:
    world = World()
    world.project()
    world.project(config("two"))
    same, other = config(), config("two", max_wip=3)
    configs = (("demo", same, digest(same)), ("two", other, digest(other)))
    assert [draft.project for draft in world.ask(calls.Reload(), configs=configs).drafts] == ["two"]
    assert world.ask(calls.Reload(), configs=configs).drafts == ()


def test_a_project_is_found_by_name_by_folder_and_alone() -> None:
    world = World()
    assert refusal(world, calls.RunStart()).code == "project_not_found"
    world.project()
    item = world.add()
    world.start()
    world.calm()
    state = world.state
    assert state.project("").name == state.project("/src/demo/deep").name == "demo"
    world.project(config("two"))
    assert state.project(f"/trees/{item}/src").name == "demo"
    assert state.project("/src/two").name == "two"
    assert refusal(world, calls.RunStart()).code == "project_needed"
    assert refusal(world, calls.RunStart(project="nope")).code == "project_not_found"
    assert refusal(world, calls.RunStart(project="/src/demonstration")).code == "project_not_found"


# --- dispatches --------------------------------------------------------------------------------------------------


def test_run_turns_the_dispatch_on_with_the_cap_given_or_configured() -> None:
    world = World()
    world.project(config(default_phase_cap=9))
    world.start()
    assert world.state.projects["demo"].dispatch.cap == 9
    world.ask(calls.RunStop())
    world.start(cap=3, continuous=True)
    dispatch = world.state.projects["demo"].dispatch
    assert (dispatch.cap, dispatch.used, dispatch.continuous, dispatch.halt_reason) == (3, 0, True, "")


def test_the_same_request_attaches_and_another_is_refused() -> None:
    world = World()
    world.project()
    world.start(cap=5)
    for cap in (None, 5):
        assert (world.start(cap=cap).drafts, world.start(cap=cap).note) == ((), "attached")
    assert refusal(world, calls.RunStart(cap=6)).code == "dispatch_active"
    assert refusal(world, calls.RunStart(cap=5, continuous=True)).code == "dispatch_active"
    world.ask(calls.RunStop())
    world.start(continuous=True)
    assert "continuous" in refusal(world, calls.RunStart(cap=9)).message


@pytest.mark.parametrize("cap", [0, -1, 1_000_001])
def test_a_cap_out_of_bounds_is_refused(cap: int) -> None:
    world = World()
    world.project()
    assert refusal(world, calls.RunStart(cap=cap)).code == "invalid_cap"


def test_a_run_that_a_user_starts_puts_the_files_configuration_into_force() -> None:
    world = World()
    world.project()
    found = config(max_wip=3)
    world.ask(calls.RunStart(), config=found, config_digest=digest(found))
    assert world.state.config_of("demo").execution.max_wip == 3
    world.ask(calls.RunStop())
    again = world.ask(calls.RunStart(), config=found, config_digest=digest(found))
    assert [draft.event.TYPE for draft in again.drafts] == ["dispatch.started"]


def test_stop_ends_the_dispatch_and_leaves_running_attempts() -> None:
    world = World()
    world.project()
    item = world.add()
    world.start()
    world.calm()
    world.ask(calls.RunStop())
    world.calm()
    assert len(world.running()) == 1
    world.settle()
    assert world.status(item) == "done", "what is under way comes to its end"


def test_stop_now_ends_running_attempts_and_the_next_run_takes_them_up_again() -> None:
    world = World()
    world.project()
    item = world.add()
    world.start()
    world.calm()
    world.ask(calls.RunStop())
    world.ask(calls.RunStop(now=True))
    world.settle()
    assert world.run(item).phase.live == ""
    assert world.status(item) == "in_progress"
    assert world.ask(calls.RunStop(now=True)).note == "nothing is dispatched"
    world.go()
    assert world.status(item) == "done"
    assert "attempt.rejected" in world.types(item)


def test_stop_when_nothing_is_dispatched_says_so() -> None:
    world = World()
    world.project()
    for now in (False, True):
        assert world.ask(calls.RunStop(now=now)).note == "nothing is dispatched"


def test_a_halt_for_a_dispatch_that_is_off_or_gone_changes_nothing() -> None:
    world = World()
    world.project()
    for project in ("demo", "gone"):
        halt = cmd.Halt(project=project, reason=HaltReason.CAP_REACHED)
        assert decide(world.state, halt, NOON) is NOTHING


# --- the daemon --------------------------------------------------------------------------------------------------


def test_the_daemon_records_its_beginning_its_end_and_a_repair_before_it() -> None:
    world = World()
    repaired = ("f.jsonl", 10, 3, "f.jsonl.broken", 4)
    world.apply(cmd.ReportDaemonStarted(version="1", pid=2, boot_id="b", repaired=repaired))
    world.apply(cmd.ReportDaemonStopped(reason="end"))
    assert world.types() == ["journal.repaired", "daemon.started", "daemon.stopped"]
    assert world.records[0].data == ev.JournalRepaired(
        file="f.jsonl", offset=10, cut_bytes=3, copy="f.jsonl.broken", last_seq=4
    )


def test_a_query_is_not_a_decision() -> None:
    with pytest.raises(Internal) as refused:
        World().apply(cmd.Asked(call=calls.Ping()))
    assert refused.value.code == "not_a_change"


# --- agents ------------------------------------------------------------------------------------------------------

ANYONE: Final = {"ping", "describe"}
OWN_ITEM: Final = {"item.show", "item.why", "gate.show", "report.show"}
REQUIRED: Final[dict[str, Any]] = {
    "id": "DEMO-1",
    "gate": "DEMO-1",
    "root": "/x",
    "project": "demo",
    "title": "t",
    "option": "approve",
    "format": "jsonl",
    "path": "/x",
    "before": 1,
}


def call_about(method: str, item: str) -> calls.Call[Any]:
    kind = calls.CALLS[method]
    names = [field for field in REQUIRED if field in kind.__struct_fields__]
    given = {name: {**REQUIRED, "id": item, "gate": item}[name] for name in names}
    return kind(**given)


def blocked_world() -> World:
    world = World()
    world.project(config(phases=(phase("build", gate=("approval",)),)))
    world.add()
    world.add()
    world.go()
    return world


@pytest.mark.parametrize("method", calls.CALLS)
def test_what_an_agent_may_ask(method: str) -> None:
    state = blocked_world().state
    agent = "DEMO-1.1.build.1"
    admit(state, call_about(method, "DEMO-1"), "")
    allowed = {"DEMO-1": method in ANYONE | OWN_ITEM, "DEMO-2": method in ANYONE}
    if method == "item.add":
        allowed = {"DEMO-1": True}  # a follow-up of its own
    if method == "gate.show":
        allowed |= {"DEMO-1.g1": True, "DEMO-2.g1": False}
    if method == "report.show":
        allowed |= {"DEMO-1.1": True, "DEMO-2.1": False}
    for item, may in allowed.items():
        for who in (agent, "unknown"):
            call = call_about(method, item)
            if may and (who == agent or method in ANYONE):
                admit(state, call, who)
                continue
            with pytest.raises(HumanRequired) as refused:
                admit(state, call, who)
            assert refused.value.code == "not_for_agents"
            assert refused.value.data == {"attempt": who}


def test_decide_itself_refuses_agents() -> None:
    world = blocked_world()
    before = picture(world.state)
    with pytest.raises(HumanRequired):
        world.ask(calls.GateDecide(gate="DEMO-1.g1", option="approve"), agent="DEMO-1.1.build.1")
    assert picture(world.state) == before


def test_who_asked_is_recorded() -> None:
    world = blocked_world()
    world.decide("DEMO-1", "request_changes", "more")
    recorded = [each.data.actor for each in world.records if isinstance(each.data, ev.GateDecided)]
    assert recorded == [ALICE]
