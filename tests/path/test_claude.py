"""The real Claude Code at work for a real daemon; its service is a fake on loopback, and the item says what it does."""

from __future__ import annotations

import json
from typing import Final

import pytest

from golemd.api import calls
from tests.fakes.messages_api import CACHED_TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, Failure
from tests.path.claude_site import AS_SUBSCRIBER, DONE, Site, used_up
from tests.path.ground import GUARD_SECONDS
from tests.path.repositories import table

RESET_S: Final = 4_000_000_000


def test_it_carries_an_item_through_plan_build_and_review(site: Site) -> None:
    daemon = site.daemon
    project = site.project({"name": "plan"}, {"name": "build"}, {"name": "review"})
    item = project.work(f"[[write @phase.txt by claude]] {DONE}")
    daemon.done(item)
    for phase in ("plan", "build", "review"):
        assert project.file_of(item, f"{phase}.txt") == "by claude"
        assert not (daemon.state / "attempts" / f"{item}.1.{phase}.1" / "result.json").exists()
    committed = [record["data"]["message"] for record in daemon.records("commit.created", item)]
    assert committed == [f"[{item}][{phase}] did {phase}" for phase in ("plan", "build", "review")]
    spawned = [record["data"]["session"] for record in daemon.records("attempt.spawned", item)]
    assert site.sessions(item) == spawned
    assert len(set(spawned)) == 3, "each phase has a conversation of its own"
    spent = [record["data"] for record in daemon.records("budget.spent", item)]
    tokens = (2 * (INPUT_TOKENS + CACHED_TOKENS), 2 * OUTPUT_TOKENS)
    assert [(each["input_tokens"], each["output_tokens"]) for each in spent] == [tokens] * 3
    costs = [each["cost_usd"] for each in spent]
    assert all(cost > 0 for cost in costs)
    assert daemon.call(calls.Status()).spend.today_usd == pytest.approx(sum(costs), abs=1e-6)
    assert "fake-key" not in (daemon.state / "journal.jsonl").read_text(encoding="utf-8")


def test_a_phase_has_the_model_that_it_names_and_else_the_agents(site: Site) -> None:
    project = site.project({"name": "plan"}, {"name": "build", "model": "opus"}, model="sonnet")
    item = project.work(DONE)
    site.daemon.done(item)
    asked = [[word for word in site.argv(f"{item}.1.{phase}.1") if "model" in word] for phase in ("plan", "build")]
    assert asked == [["--model=sonnet"], ["--model=opus"]]
    models = [
        record["data"]["model"] for record in site.daemon.records("attempt.session", item) if "model" in record["data"]
    ]
    assert ["sonnet" in model for model in models] == [True, False], models


def test_a_daemon_killed_in_the_middle_adopts_it_and_counts_its_cost_once(site: Site) -> None:
    daemon, project = site.daemon, site.project()
    item = project.work(f"[[write a.txt by claude]] [[hold]] {DONE}")
    assert site.api.held.wait(GUARD_SECONDS)
    (spawned,) = daemon.records("attempt.spawned", item)
    daemon.kill9()
    daemon.start()
    assert daemon.until("attempt.adopted", item)["data"]["pid"] == spawned["data"]["pid"]
    site.api.go_on.set()
    daemon.done(item)
    assert project.file_of(item, "a.txt") == "by claude"
    assert site.sessions(item) == [spawned["data"]["session"]]
    (spent,) = daemon.records("budget.spent", item)
    daemon.restart()
    assert len(daemon.records("budget.spent", item)) == 1
    assert daemon.call(calls.Status()).spend.today_usd == pytest.approx(spent["data"]["cost_usd"], abs=1e-6)


def test_a_failing_verify_command_is_mended_in_the_same_conversation(site: Site) -> None:
    daemon = site.daemon
    project = site.project({"name": "build", "verify": ["test -e second"]}, permissions="full")
    item = project.work(f"[[bash if test -e first; then touch second; fi; touch first]] {DONE}")
    daemon.done(item)
    (session,) = set(site.sessions(item))
    assert len(site.sessions(item)) == 2
    first, second = site.argv(f"{item}.1.build.1"), site.argv(f"{item}.1.build.2")
    assert first[first.index("--session-id") + 1] == second[second.index("--resume") + 1] == session
    told = json.dumps(site.api.requests[-1]["messages"])
    assert "This is attempt 1" in told
    assert "A verify command failed on your work" in told
    begun = {
        record["data"]["attempt"]: record["data"].get("session", "") for record in daemon.records("attempt.spawned")
    }
    assert begun[f"{item}.1.build.verify_1.1"] == ""
    costs = [record["data"]["cost_usd"] for record in daemon.records("budget.spent", item)]
    assert costs == [pytest.approx(costs[0])] * 2, "only what was added counts"


@pytest.mark.parametrize(("args", "ran"), [([], False), (["--allowedTools", "Bash(sh check.sh)"], True)])
def test_with_edit_it_runs_the_commands_that_its_args_allow(site: Site, args: list[str], ran: bool) -> None:
    project = site.project(permissions="edit", args=args)
    item = project.work(f"[[write check.sh echo it ran > ran.txt]] [[bash sh check.sh]] {DONE}")
    site.daemon.done(item)
    assert ("ran.txt" in project.git("ls-tree", "--name-only", f"golem/{item}").split()) == ran


def test_a_limit_parks_the_account_and_others_go_on(site: Site) -> None:
    daemon, project = site.daemon, site.project(env=AS_SUBSCRIBER)
    site.api.fail(Failure(429, headers=used_up(RESET_S)))
    item, other = project.add(DONE), project.add("[[write a.txt x]]", pipeline="other")
    project.run()
    parked = daemon.until("provider.parked", item)["data"]
    assert (parked["provider"], parked["until_us"], parked["streak"]) == ("claude", RESET_S * 1_000_000, 1)
    rejected = daemon.records("attempt.rejected", item)[0]["data"]
    assert (rejected["outcome"], rejected.get("spends", "")) == ("limit", "")
    daemon.done(other)
    daemon.restart()
    status = daemon.call(calls.Status())
    assert [(each.name, each.state, each.until) for each in status.providers] == [
        ("claude", "parked", "2096-10-02T07:06:40Z")
    ]
    assert status.projects[0].dispatch.state == "running"
    assert "claude is parked until 2096-10-02T07:06:40Z" in (daemon.show(item).why or "")
    assert len(daemon.records("attempt.planned", item)) == 1
    site.api.fail(Failure(times=0))  # the user has paid for more
    assert daemon.call(calls.Reload()).available == ("claude",)
    daemon.done(item)


def test_an_account_that_is_refused_opens_a_gate_at_once_and_retry_goes_on(site: Site) -> None:
    daemon, project = site.daemon, site.project()
    site.api.fail(Failure(401, times=1))
    item = project.work(DONE)
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["key"], len(daemon.records("attempt.planned", item))) == ("unusable", 1)
    assert "401" in gate["question"]
    assert "Mend its login or [agents.claude] in golem.toml first" in gate["question"]
    daemon.decide(item, "retry")
    daemon.done(item)


def test_an_overloaded_service_spends_no_retry(site: Site) -> None:
    daemon, project = site.daemon, site.project()
    site.api.fail(Failure(529))
    item = project.work(DONE)
    rejected = daemon.until("attempt.rejected", item)["data"]
    assert (rejected["outcome"], rejected["spends"], rejected.get("put_back", False)) == (
        "transient",
        "transient",
        False,
    )
    assert "tried again in" in (daemon.show(item).why or "")
    assert daemon.call(calls.Status()).providers == ()


def test_what_is_left_of_a_budget_is_its_own_limit_and_a_raised_one_goes_on_in_the_conversation(site: Site) -> None:
    daemon, project = site.daemon, site.project(more=table("[budget]", {"item_usd": 0.001}))
    item = project.work(f"[[write a.txt by claude]] {DONE}")
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["kind"], gate["key"], gate["attempt"]) == ("budget", "item_usd", f"{item}.1.build.1")
    rejected = daemon.records("attempt.rejected", item)[0]["data"]
    assert (rejected["outcome"], rejected.get("spends", "")) == ("budget", "")
    assert "Reached maximum budget" in rejected["message"]
    cost = daemon.show(item).spent_usd
    assert cost > 0.001
    assert len(daemon.records("attempt.planned", item)) == 1
    daemon.decide(item, "raise", "5.00")
    daemon.done(item)
    first, second = site.argv(f"{item}.1.build.1"), site.argv(f"{item}.1.build.2")
    assert first[first.index("--max-budget-usd") + 1] == "0.001000"
    assert second[second.index("--max-budget-usd") + 1] == f"{5.001 - cost:.6f}"
    assert first[first.index("--session-id") + 1] == second[second.index("--resume") + 1]
    told = json.dumps(site.api.requests[-1]["messages"])
    assert "At most $0.00 may be spent on this attempt" in told
    assert f"At most ${5.001 - cost:.2f} may be spent on this attempt" in told
    costs = [record["data"]["cost_usd"] for record in daemon.records("budget.spent", item)]
    assert daemon.show(item).spent_usd == pytest.approx(sum(costs), abs=1e-6)
    assert daemon.call(calls.Status()).projects[0].today_usd == pytest.approx(sum(costs), abs=1e-6)


def test_a_program_that_is_missing_opens_a_gate(site: Site) -> None:
    site.program = "no-such-claude"
    item = site.project().work(DONE)
    gate = site.daemon.until("gate.opened", item)["data"]
    assert gate["key"] == "unusable"
    assert "no-such-claude is not on the PATH" in gate["question"]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.0.1 (Claude Code)", "version 3.0.1 is of a newer kind than this golemd knows: use 2.x"),
        ("hello", "it does not say its version ('hello'), so it may not be Claude Code"),
    ],
)
def test_a_program_of_another_kind_opens_a_gate_before_it_is_run(site: Site, version: str, words: str) -> None:
    daemon = site.daemon
    site.program = daemon.program("claude", f"echo '{version}'")
    item = site.project().work(DONE)
    gate = daemon.until("gate.opened", item)["data"]
    assert gate["key"] == "unusable"
    assert words in gate["question"]
    assert daemon.records("attempt.spawned", item) == []


def test_without_a_login_a_gate_says_so(site: Site) -> None:
    item = site.project(env={"ANTHROPIC_API_KEY": ""}).work(DONE)
    gate = site.daemon.until("gate.opened", item)["data"]
    assert gate["key"] == "unusable"
    assert "Not logged in" in gate["question"]
    assert "Mend its login" in gate["question"]


def test_while_it_works_the_status_shows_what_it_says_and_uses(site: Site) -> None:
    daemon, project = site.daemon, site.project()
    item = project.work(f"[[say First I look at it.]] [[write sub/a.txt x]] [[bash touch b.txt]] [[hold]] {DONE}")
    assert site.api.held.wait(GUARD_SECONDS)
    daemon.until_output(f"{item}.1.build.1", "touch b.txt")
    (attempt,) = daemon.call(calls.Status()).attempts
    assert attempt.tail == ("First I look at it.", "Write sub/a.txt", "Bash touch b.txt")
    assert "Bash touch b.txt" in daemon.golemctl("status").out
    site.api.go_on.set()
    daemon.done(item)


def test_a_program_that_is_too_old_opens_a_gate_and_goes_on_when_it_was_updated(site: Site) -> None:
    real, daemon = site.program, site.daemon
    site.program = daemon.program("claude", "echo '1.0.0 (Claude Code)'")
    item = site.project({"name": "plan"}, {"name": "build"}).work(DONE)
    gate = daemon.until("gate.opened", item)["data"]
    assert gate["key"] == "unusable"
    assert "version 1.0.0 is too old" in gate["question"]
    assert daemon.records("attempt.spawned", item) == []
    asked = daemon.root / "asked"
    daemon.program("claude", f'[ "$1" != --version ] || echo asked >> "{asked}"; exec "{real}" "$@"')
    daemon.decide(item, "retry")
    daemon.done(item)
    assert asked.read_text(encoding="utf-8") == "asked\n", "one that will do is asked once"
