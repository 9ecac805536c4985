"""Accounts behind agents: parked at a limit and available again; conversations gone on with or dropped; costs."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from golemd.api import calls, views
from golemd.api import events as ev
from golemd.api.config import Agent
from golemd.api.model import AttemptState
from golemd.core import commands as cmd
from golemd.core import present
from golemd.core.commands import Said
from golemd.core.decide import decide
from golemd.core.decide.common import NOTHING
from golemd.core.present import Clock
from golemd.core.scheduler import why
from tests.core.world import FAILS, NOON, SECOND, End, World, config, phase, picture

MINUTE: Final = 60 * SECOND
LIMITED: Final = End(result=None, status=1, said=Said(trouble="limit", message="Used up.\nSee the plans."))


def world_of(count: int = 1, *phases: Any, **execution: Any) -> World:
    """Agents that run until the test ends them, in a project that is dispatched."""
    world = World()
    settings = config(phases=phases or (phase("build"),), **execution)
    world.project(msgspec.structs.replace(settings, agents={**settings.agents, "other": Agent(kind="scripted")}))
    for _ in range(count):
        world.add()
    world.talks = True
    world.held = {"plan", "build"}
    world.start()
    world.calm()
    return world


def end(world: World, how: End | None = None, item: str = "DEMO-1") -> None:
    """The item's running attempt ends, and everything that follows without waiting happens."""
    world.end(world.run(item).phase.live, how or End())
    world.calm()


def words(world: World, item: str = "DEMO-1") -> str:
    return str(why(world.state, world.item(item), world.limits, world.now_us))


def status(world: World) -> views.StatusView:
    daemon = views.DaemonView(version="1", pid=1, uptime_s=0.0, seq=1, durable_seq=1, state_dir="/s")
    projects = world.state.projects.values()
    return present.status_view(world.state, projects, False, Clock(world.now_us, world.limits), daemon, {})


# --- parked ------------------------------------------------------------------------------------------------------


def test_a_limit_parks_the_account_until_its_reset_and_the_work_goes_on_by_itself_then() -> None:
    world = world_of()
    reset = NOON + 100 * MINUTE
    end(world, End(result=None, status=1, said=Said(trouble="limit", message="Used up.", reset_us=reset)))
    assert not world.running()
    assert (
        words(world) == "DEMO-1 is in progress but does not run: robot is parked until 2026-11-21T13:40:00Z: Used up."
    )
    assert world.halt_reason() == "on", "it only waits for the account"
    assert world.plan().wake_at_us == reset
    world.now_us = reset - 1
    assert (world.plan().commands, world.running()) == ((), [])
    world.now_us = reset
    assert world.plan().commands[0] == cmd.Unpark(provider="robot")
    world.calm()
    assert [attempt.number for attempt in world.running()] == [2]
    assert "provider.available" in world.types()
    assert world.run("DEMO-1").phase.retries == world.run("DEMO-1").phase.transient_in_row == 0
    assert picture(world.replay()) == picture(world.state)


def test_limits_in_a_row_wait_longer_and_an_accepted_attempt_ends_the_row() -> None:
    world = world_of(1, phase("build", max_retries=0))
    for minutes in (15, 30, 60, 120, 240, 300, 300):
        end(world, LIMITED)
        assert world.state.providers["robot"].until_us == world.now_us + minutes * MINUTE
        world.now_us += minutes * MINUTE
        world.calm()
    end(world, End(result={"result": "subphase_complete"}))
    assert world.state.providers == {}
    end(world, LIMITED)
    assert world.state.providers["robot"].until_us == world.now_us + 15 * MINUTE


def test_attempts_that_meet_the_same_limit_are_one_in_the_row_and_never_shorten_it() -> None:
    world = world_of(3)
    end(world, LIMITED, "DEMO-1")
    world.now_us += 5 * MINUTE
    end(world, LIMITED, "DEMO-2")
    found = world.state.providers["robot"]
    assert (found.streak, found.until_us) == (1, world.now_us + 15 * MINUTE)
    reset = world.now_us + 1 * MINUTE
    end(world, End(result=None, status=1, said=Said(trouble="limit", reset_us=reset)), "DEMO-3")
    assert world.state.providers["robot"].until_us == found.until_us


def test_what_is_accepted_while_the_account_is_parked_does_not_make_it_available() -> None:
    world = world_of(2)
    end(world, LIMITED, "DEMO-1")
    end(world, End(), "DEMO-2")
    assert world.status("DEMO-2") == "done"
    assert world.state.providers["robot"].until_us > world.now_us
    assert not world.running()


def test_others_go_on_and_only_items_whose_next_phase_needs_the_account_wait() -> None:
    world = world_of(2, phase("plan", agent="other"), phase("build"))
    end(world, End(), "DEMO-1")
    end(world, LIMITED, "DEMO-1")
    fresh = world.add()
    world.calm()
    assert {attempt.item for attempt in world.running()} == {"DEMO-2", fresh}
    end(world, End(), "DEMO-2")
    assert {attempt.item for attempt in world.running()} == {fresh}
    assert "robot is parked until" in words(world, "DEMO-2")
    end(world, End(), fresh)
    assert world.halt_reason() == "on"
    world.now_us = world.state.providers["robot"].until_us
    world.calm()
    assert len(world.running()) == 3


def test_an_item_that_never_ran_waits_for_the_account_of_its_first_phase() -> None:
    world = World()
    world.project(config(phases=("build",), pre=(phase("scope", agent="other"),)))
    world.held = {"scope", "build"}
    world.add()
    world.start()
    world.calm()
    world.end("DEMO-1.1.scope.1", msgspec.structs.replace(LIMITED))
    world.calm()
    fresh = world.add()
    world.calm()
    assert world.status(fresh) == "scoping"
    assert "other is parked until" in words(world, fresh)
    assert decide(world.state, cmd.Launch(item=fresh), world.now_us) is NOTHING
    assert world.item(fresh).run == ""


def test_a_reload_tries_a_parked_account_at_once() -> None:
    world = world_of()
    end(world, LIMITED)
    assert not world.running()
    answer = world.ask(calls.Reload()).answer
    world.calm()
    assert isinstance(answer, views.ReloadView)
    assert (answer.available, [attempt.number for attempt in world.running()]) == (("robot",), [2])
    end(world, LIMITED)
    assert world.state.providers["robot"].until_us == world.now_us + 30 * MINUTE, "it is another one in the row"
    end_of_row = world.ask(calls.Reload()).drafts
    assert [draft.event for draft in end_of_row] == [ev.ProviderAvailable(provider="robot")]
    assert world.ask(calls.Reload()).drafts == ()
    assert picture(world.replay()) == picture(world.state)


def test_an_account_becomes_available_only_once_and_in_time() -> None:
    world = world_of()
    assert decide(world.state, cmd.Unpark(provider="robot"), NOON) is NOTHING
    end(world, LIMITED)
    early = world.state.providers["robot"].until_us - 1
    assert decide(world.state, cmd.Unpark(provider="robot"), early) is NOTHING
    world.now_us = early + 1
    world.apply(cmd.Unpark(provider="robot"))
    assert decide(world.state, cmd.Unpark(provider="robot"), world.now_us) is NOTHING
    assert not any(isinstance(each, cmd.Unpark) for each in world.plan().commands)


def test_status_shows_accounts_in_use_and_parked_ones() -> None:
    world = world_of(2)
    (shown,) = status(world).providers
    assert (shown.name, shown.state, shown.until, shown.used) == ("robot", "available", None, 2)
    end(world, LIMITED)
    (shown,) = status(world).providers
    assert (shown.name, shown.state, shown.until, shown.used) == ("robot", "parked", "2026-11-21T12:15:00Z", 1)


# --- conversations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [End(lost=True), LIMITED, End(result=None, reason="stopped", status=None)])
def test_what_was_interrupted_goes_on_in_its_conversation(how: End) -> None:
    world = world_of()
    session = world.run("DEMO-1").phase.session
    assert session
    end(world, how)
    world.settle()
    (attempt,) = world.running()
    assert (attempt.number, attempt.session) == (2, session)


@pytest.mark.parametrize(
    ("ended", "option"),
    [(End(result={"result": "blocked", "question": "?"}), "answer"), (End(), "request_changes")],
)
def test_an_answer_and_a_comment_go_on_in_the_conversation(ended: End, option: str) -> None:
    world = world_of(1, phase("build", gate=("approval",)))
    session = world.run("DEMO-1").phase.session
    end(world, ended)
    content = {"content": world.content("DEMO-1")} if option == "request_changes" else {}
    world.decide(world.gate("DEMO-1").id, option, "so", **content)
    world.calm()
    assert [attempt.session for attempt in world.running()] == [session]


def test_a_fix_goes_on_in_the_conversation_and_verify_commands_have_none() -> None:
    world = world_of(1, phase("build", verify=("make",)))
    session = world.run("DEMO-1").phase.session
    end(world)
    (verify,) = world.running()
    world.end(verify.id, End(status=1))
    world.calm()
    assert (verify.session, [attempt.session for attempt in world.running()]) == ("", [session])


@pytest.mark.parametrize("how", [FAILS, End(result=None), End(result=None, said=Said(trouble="agent", session="own"))])
def test_another_approach_begins_another_conversation(how: End) -> None:
    world = world_of()
    session = world.run("DEMO-1").phase.session
    end(world, how)
    assert world.run("DEMO-1").phase.session == ""
    world.settle()
    (attempt,) = world.running()
    assert attempt.session not in ("", session)


def test_a_conversation_that_cannot_be_gone_on_with_is_dropped() -> None:
    world = world_of()
    end(world, End(result=None, said=Said(trouble="transient", session="gone", cannot_resume=True)))
    assert world.run("DEMO-1").phase.session == ""
    assert world.state.attempts["DEMO-1.1.build.1"].session == ""


def test_what_the_program_says_of_its_conversation_and_model_is_kept() -> None:
    world = world_of()
    world.end("DEMO-1.1.build.1", End(result=None, said=Said(trouble="transient", session="its own", model="best")))
    world.calm()
    attempt = world.state.attempts["DEMO-1.1.build.1"]
    assert (attempt.session, attempt.model, world.run("DEMO-1").phase.session) == ("its own", "best", "its own")
    assert present.attempt_view(attempt).model == "best"


def test_the_next_phase_has_a_conversation_of_its_own() -> None:
    world = world_of(1, phase("plan"), phase("build"))
    first = world.run("DEMO-1").phase.session
    end(world)
    assert world.run("DEMO-1").phase.session not in ("", first)


# --- what it says in the end --------------------------------------------------------------------------------------


def answer(**fields: Any) -> bytes:
    good = {"item_id": "DEMO-1", "phase": "build", "result": "phase_complete", "summary": "by answer"}
    return msgspec.json.encode({**good, **fields})


@pytest.mark.parametrize(
    ("how", "outcome"),
    [
        (End(result=None, said=Said(answer=answer(), success=True)), "phase_complete"),
        (End(result=None, said=Said(answer=answer(), success=False)), "no_result"),
        (End(result=None, said=Said(answer=answer(), success=False, trouble="transient")), "transient"),
        (End(result=None, said=Said(answer=b"[]", success=True)), "bad_result"),
        (End(result=None, said=Said(answer=answer(item_id="DEMO-2"), success=True)), "identity"),
        (End(said=Said(answer=answer(result="failed"), success=True)), "phase_complete"),
        (End(result=b"{", said=Said(answer=answer(), success=True)), "bad_result"),
    ],
)
def test_an_answer_counts_with_success_only_and_a_result_file_wins(how: End, outcome: str) -> None:
    world = world_of(1, phase("build", gate=("approval",)))
    end(world, how)
    assert world.state.attempts["DEMO-1.1.build.1"].outcome == outcome


def test_without_a_result_its_last_words_are_told_instead_of_its_raw_output() -> None:
    world = world_of(2)
    raw = ('{"type":"result"}',)
    end(world, End(result=None, lines=raw, said=Said(session="s", success=True, message="I would rather not")))
    message = world.state.attempts["DEMO-1.1.build.1"].message
    assert message == "it ended with exit status 0 and left no result file\nIt said last:\nI would rather not"
    end(
        world,
        End(result=None, reason="timeout", lines=raw, said=Said(session="s", trouble="agent", message="x")),
        "DEMO-2",
    )
    assert world.state.attempts["DEMO-2.1.build.1"].message == "it ran longer than its time limit"


def test_what_needs_a_human_asks_at_once_and_says_what_to_do() -> None:
    world = world_of()
    end(world, End(result=None, status=1, said=Said(trouble="fatal", message="Not logged in.\nmore")))
    gate = world.gate("DEMO-1")
    assert gate.key == "unusable"
    assert gate.question.startswith("Not logged in. Mend its login or [agents.robot] in golem.toml first. Try build")
    assert world.run("DEMO-1").phase.number == 1


def test_trouble_without_words_is_told_by_how_it_ended() -> None:
    world = world_of()
    end(world, End(result=None, status=3, said=Said(trouble="limit", message=" \n")))
    assert world.state.providers["robot"].reason == "it ended with exit status 3"


# --- costs -------------------------------------------------------------------------------------------------------


def test_what_an_attempt_cost_is_counted_once_and_for_its_day() -> None:
    world = world_of(2)
    cost = Said(session="s", cost_usd=0.25, input_tokens=1000, output_tokens=50)
    end(world, End(said=cost), "DEMO-1")
    report = cmd.ReportExamined(attempt="DEMO-1.1.build.1", said=cost)
    assert decide(world.state, report, world.now_us) is NOTHING
    spent = [record.data for record in world.records if isinstance(record.data, ev.BudgetSpent)]
    assert [(each.agent, each.cost_usd, each.input_tokens) for each in spent] == [("robot", 0.25, 1000)]
    assert status(world).spend.today_usd == 0.25
    world.now_us += 13 * 60 * MINUTE
    assert status(world).spend.today_usd == 0
    world.end("DEMO-2.1.build.1", End(result=None, said=cost))
    world.step()
    attempt = world.state.attempts["DEMO-2.1.build.1"]
    assert (attempt.state, attempt.cost_usd, attempt.tokens) == (AttemptState.REJECTED, 0.25, 1050)
    assert present.attempt_view(attempt).cost_usd == 0.25
    assert world.state.spent == {"2026-11-22": {"demo": 0.25}}
    assert picture(world.replay()) == picture(world.state)


def test_what_a_lost_attempt_had_used_counts_and_its_session_goes_on() -> None:
    world = world_of()
    world.end("DEMO-1.1.build.1", End(lost=True, said=Said(session="s", model="m", input_tokens=1000)))
    world.settle()
    types = [record.type for record in world.records]
    assert types.index("attempt.session") < types.index("budget.spent") < types.index("attempt.lost")
    assert world.state.attempts["DEMO-1.1.build.1"].tokens == 1000
    assert world.run("DEMO-1").phase.session == "s"


def test_what_a_cancelled_items_attempt_had_cost_counts() -> None:
    world = world_of()
    world.end("DEMO-1.1.build.1", End(said=Said(output_tokens=5)))
    world.ask(calls.ItemCancel(id="DEMO-1"))
    world.calm()
    types = [record.type for record in world.records]
    assert types.index("budget.spent") < types.index("attempt.rejected")
