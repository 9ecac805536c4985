"""Attempts that fail: what each kind of failure costs, and what comes then. Back-off is tested in tests/core."""

from __future__ import annotations

import json

import pytest

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project


@pytest.mark.parametrize(
    ("directives", "outcome", "words"),
    [
        ("[[exit 3]]", "no_result", "exit status 3"),
        ("[[result not json]]", "bad_result", "not JSON"),
        ("[[result [1, 2]]]", "bad_result", "one JSON object"),
        ('[[result {"summary": "x"}]]', "bad_result", "'result'"),
        ('[[result {"result": "splendid"}]]', "bad_result", "splendid"),
        ('[[result {"result": "phase_complete", "summary": 5}]]', "bad_result", "'summary'"),
        ('[[result {"result": "failed", "summary": "it cannot be done"}]]', "failed", "it cannot be done"),
        ('[[result {"result": "phase_complete", "item_id": "WRK-77"}]]', "identity", "WRK-77"),
        ('[[result {"result": "phase_complete", "phase": "other"}]]', "identity", "other"),
    ],
)
def test_a_failure_beyond_its_bound_opens_a_gate_that_says_why(
    daemon: House, demo: Project, directives: str, outcome: str, words: str
) -> None:
    item = demo.work(f"[[write left.txt over]] {directives}")
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["kind"], gate["key"], gate["gate"]) == ("failure", outcome, f"{item}.g1")
    assert words in gate["question"]
    assert [option["id"] for option in gate["options"]] == ["retry", "skip", "abort"]
    assert daemon.show(item).status == "blocked"
    assert demo.halted()["data"]["reason"] == "all_done_or_blocked"


def test_a_result_for_another_item_costs_no_retry_and_asks_at_once(daemon: House) -> None:
    project = daemon.project(execution={"max_retries": 5})
    item = project.work('[[result {"result": "phase_complete", "item_id": "WRK-77"}]]')
    daemon.until("gate.opened", item)
    assert daemon.show(item).runs[0].phases[0].attempts == 1


def test_a_huge_result_file_is_refused(daemon: House) -> None:
    agents = daemon.agent("big", 'head -c 2000000 /dev/zero > "$GOLEM_RESULT"')
    project = daemon.project(phases=[{"name": "build", "agent": "big", "max_retries": 0}], agents=agents)
    item = project.work()
    assert daemon.until("attempt.rejected", item)["data"]["outcome"] == "bad_result"
    assert "large" in daemon.until("gate.opened", item)["data"]["question"]


@pytest.mark.parametrize("make", ["mkfifo", "mkdir", "ln -s /dev/zero"])
def test_a_result_file_that_is_no_file_is_refused(daemon: House, make: str) -> None:
    agents = daemon.agent("odd", f'{make} "$GOLEM_RESULT"')
    project = daemon.project(phases=[{"name": "build", "agent": "odd", "max_retries": 0}], agents=agents)
    item = project.work()
    assert daemon.until("attempt.rejected", item)["data"]["outcome"] == "bad_result"
    assert "result.json" in daemon.until("gate.opened", item)["data"]["question"]


def test_a_valid_result_wins_over_a_bad_exit_status(daemon: House, demo: Project) -> None:
    item = demo.work('[[result {"result": "phase_complete", "summary": "fine"}]] [[exit 9]]')
    daemon.done(item)
    assert daemon.records("attempt.exited", item)[0]["data"]["status"] == 9


def test_optional_fields_that_do_not_parse_are_dropped_with_a_warning(daemon: House, demo: Project) -> None:
    result = {"result": "phase_complete", "summary": "s", "updated_assessments": {"size": "tiny", "risk": "low"}}
    item = demo.work(f"[[result {json.dumps(result)}]]")
    daemon.done(item)
    shown = daemon.show(item)
    assert (shown.size, shown.risk) == (None, "low")
    assert "updated_assessments.size" in shown.runs[0].phases[0].warnings[0]


def test_a_time_limit_ends_the_attempt(daemon: House) -> None:
    project = daemon.project(phases=[{"name": "build", "timeout_minutes": 0.01, "max_retries": 0}])
    item = project.work("[[write half.txt x]] [[sleep 600]]")
    pid = daemon.until("attempt.spawned", item)["data"]["pid"]
    assert daemon.until("attempt.exited", item)["data"]["reason"] == "timeout"
    assert "time limit" in daemon.until("gate.opened", item)["data"]["question"]
    assert pid not in daemon.left()


def test_a_retry_gives_full_budgets_and_the_note_and_the_failure_reach_the_prompt(daemon: House, demo: Project) -> None:
    item = demo.work("[[build.1: exit 3]] [[build.2: exit 4]]")
    daemon.until("gate.opened", item, gate=f"{item}.g1")
    daemon.decide(item, "retry", "look at the lock")
    daemon.until("gate.opened", item, gate=f"{item}.g2")
    daemon.decide(item, "retry", "once more")
    demo.run()  # two failures in a row have tripped the breaker
    daemon.done(item)
    prompt = (daemon.state / "attempts" / f"{item}.1.build.3" / "prompt.md").read_text(encoding="utf-8")
    assert "look at the lock" in prompt
    assert "once more" in prompt
    assert "exit status 3" in prompt
    assert "exit status 4" in prompt
    assert "attempt 3" in prompt


def test_a_retried_attempt_within_its_bound_waits_and_says_so(daemon: House) -> None:
    project = daemon.project(execution={"max_retries": 1})
    item = project.work("[[write left.txt over]] [[build.1: exit 3]] [[sleep 600]]")
    rejected = daemon.until("attempt.rejected", item)["data"]
    assert (rejected["spends"], rejected["put_back"]) == ("retry", True)
    kept = daemon.until("work.kept", item, then="put_back")["data"]
    assert project.git("show", f"{kept['commit']}:left.txt") == "over"
    assert kept["ref"] == f"refs/golem/kept/{item}.1.build.1"
    assert not (project.worktree(item) / "left.txt").exists()
    assert "tried again in" in (daemon.show(item).why or "")


def test_rounds_go_on_until_the_phase_is_complete_each_with_a_commit(daemon: House, demo: Project) -> None:
    more = '[[build.%d: result {"result": "subphase_complete", "summary": "part %d"}]]'
    item = demo.work("[[append a.txt line]]" + more % (1, 1) + more % (2, 2))
    daemon.done(item)
    assert demo.file_of(item, "a.txt") == "line\nline\nline"
    assert len(daemon.records("commit.created", item)) == 3
    prompt = (daemon.state / "attempts" / f"{item}.1.build.3" / "prompt.md").read_text(encoding="utf-8")
    assert "part 2" in prompt


def test_rounds_have_a_bound(daemon: House) -> None:
    project = daemon.project(execution={"max_rounds": 2})
    item = project.work('[[result {"result": "subphase_complete", "summary": "part"}]]')
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["kind"], gate["key"]) == ("failure", "rounds")
    assert "2 rounds" in gate["question"]


def test_too_much_output_ends_the_attempt(house: House) -> None:
    house.settings(max_output_mb=1)
    house.start()
    agents = house.agent("chatter", "exec yes")
    project = house.project(phases=[{"name": "build", "agent": "chatter", "max_retries": 0}], agents=agents)
    item = project.work()
    assert house.until("attempt.exited", item)["data"]["reason"] == "output"
    assert "max_output_mb" in house.until("gate.opened", item)["data"]["question"]


def test_an_attempt_that_uses_too_much_memory_is_ended_and_its_leftovers_are_kept(house: House) -> None:
    house.settings(max_memory_mb=64)
    house.start()
    agents = house.agent("hungry", "echo half > left.txt; tail /dev/zero | cat; exit 1")
    project = house.project(phases=[{"name": "build", "agent": "hungry", "max_retries": 1}], agents=agents)
    item = project.work()
    assert house.until("attempt.exited", item)["data"]["reason"] == "memory"
    rejected = house.until("attempt.rejected", item)["data"]
    assert (rejected["outcome"], rejected["spends"], rejected["put_back"]) == ("out_of_memory", "retry", True)
    limit = "64 MB for all its processes together (max_memory_mb in golemd.toml)"
    assert limit in rejected["message"]
    kept = house.until("work.kept", item, then="put_back")["data"]
    assert project.git("show", f"{kept['commit']}:left.txt") == "half"
    assert limit in (house.call(calls.ItemShow(id=item, prompt=True)).prompt or "")  # what the next attempt is told


def test_silence_ends_the_attempt(house: House) -> None:
    house.settings(idle_timeout_minutes=0.005)
    house.start()
    project = house.project(execution={"max_retries": 0})
    item = project.work("[[sleep 600]]")
    assert house.until("attempt.exited", item)["data"]["reason"] == "idle"
    assert "idle_timeout_minutes" in house.until("gate.opened", item)["data"]["question"]
