"""Budgets, of an item, a phase and a day, with agents that say what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from golemd.api import calls
from tests.path.house import House
from tests.path.repositories import Project, table

TWO = [{"name": "build"}, {"name": "review"}]


def budgeted(daemon: House, *phases: dict[str, Any], **budget: float) -> Project:
    more = table("[budget]", budget) if budget else ""
    return daemon.project(phases=phases or TWO, execution={"max_wip": 3, "max_retries": 1}, more=more)


def planned(daemon: House, item: str) -> int:
    return len(daemon.records("attempt.planned", item))


def test_a_spent_item_asks_and_goes_on_when_it_is_raised_also_after_a_restart(daemon: House) -> None:
    project = budgeted(daemon, item_usd=1.0)
    item = project.work("[[write a.txt x]] [[build: spend 1.25 5000]] [[review: spend 0.25]]")
    halted = project.halted()
    assert halted["data"]["reason"] == "all_done_or_blocked"
    gate = daemon.gate(item)
    assert (gate.kind, gate.key, gate.phase, gate.default) == ("budget", "item_usd", "review", None)
    assert gate.question == f"{item} has spent $1.25 of $1.00 (item_usd). Raise it, by how much, or abort?"
    assert project.file_of(item, "a.txt") == "x", "what was paid for is committed"
    daemon.restart()
    shown = daemon.show(item)
    assert (shown.spent_usd, shown.budget_usd, shown.spent_tokens) == (1.25, 1.0, 5000)
    assert "has spent $1.25 of $1.00" in (shown.why or "")
    with pytest.raises(Exception, match="is not an amount of dollars"):
        daemon.decide(item, "raise", "a lot")
    daemon.decide(item, "raise", "0.50")
    daemon.done(item)
    assert planned(daemon, item) == 2
    (raised,) = (record["data"] for record in daemon.records("budget.raised", item))
    assert (raised["scope"], raised["usd"], raised["limit"]) == ("item_usd", 0.5, 1.5)
    prompt = (daemon.state / f"attempts/{item}.1.review.1/prompt.md").read_text(encoding="utf-8")
    assert "At most $0.25 may be spent on this attempt." in prompt


def test_what_was_spent_counts_when_an_item_is_taken_up_again(daemon: House) -> None:
    project = budgeted(daemon, {"name": "build"}, item_usd=1.0)
    item = project.work("[[spend 1.00]]")
    daemon.done(item)
    project.halted()
    daemon.until("work.kept", item)
    daemon.restart()
    daemon.call(calls.ItemReopen(id=item))
    project.run()
    gate = daemon.until("gate.opened", item)["data"]
    assert gate["kind"] == "budget"
    assert planned(daemon, item) == 1
    assert daemon.show(item).spent_usd == 1.0
    assert daemon.call(calls.JournalVerify(deep=True)).equal


def test_a_spent_phase_asks_instead_of_trying_again(daemon: House) -> None:
    project = budgeted(daemon, {"name": "build", "budget_usd": 0.5})
    item = project.work("[[spend 0.60]] [[build.1: exit 1]]")
    gate = daemon.until("gate.opened", item)["data"]
    assert (gate["key"], planned(daemon, item)) == ("budget_usd", 1)
    assert gate["question"].startswith(f"The phase build of {item} has spent $0.60 of $0.50 (budget_usd)")
    daemon.decide(item, "raise", "$1")
    daemon.done(item)
    phase = daemon.show(item).runs[0].phases[0]
    assert (phase.attempts, phase.spent_usd, phase.budget_usd) == (2, 1.2, 1.5)


def test_tokens_are_a_budget_too(daemon: House) -> None:
    project = budgeted(daemon, item_tokens=1000)
    item = project.work("[[build: spend 0 1200]]")
    gate = daemon.until("gate.opened", item)["data"]
    assert gate["question"].startswith(f"{item} has spent 1,200 tokens of 1,000 tokens (item_tokens)")
    daemon.decide(item, "raise", "5000")
    daemon.done(item)
    prompt = (daemon.state / f"attempts/{item}.1.review.1/prompt.md").read_text(encoding="utf-8")
    assert "At most 4,800 tokens may be spent" in prompt


def test_when_the_day_is_spent_items_wait_until_the_configuration_allows_more(daemon: House) -> None:
    project = budgeted(daemon, {"name": "build"}, day_usd=1.0)
    first = project.work("[[spend 1.50]]")
    daemon.done(first)
    project.halted()
    second = project.work("[[write b.txt x]]")
    daemon.until("item.moved", second, to="in_progress")
    assert "the budget of the day is spent until" in (daemon.show(second).why or "")
    assert "$1.50 of $1.00 (day_usd)" in daemon.call(calls.ItemWhy(id=second)).why
    status = daemon.call(calls.Status())
    assert (status.spend.today_usd, status.spend.day_usd) == (1.5, 1.0)
    assert status.projects[0].dispatch.state == "running"
    assert status.gates == ()
    text = (project.root / "golem.toml").read_text(encoding="utf-8")
    (project.root / "golem.toml").write_text(text.replace("day_usd = 1.0", "day_usd = 2.0"), encoding="utf-8")
    daemon.call(calls.Reload())
    daemon.done(second)


def test_golemctl_shows_what_was_spent_and_says_how_to_go_on(daemon: House) -> None:
    project = budgeted(daemon, item_usd=1.0, day_usd=50.0)
    item = project.add("[[build: spend 1.25]]")
    ran = daemon.golemctl("run", cwd=project.root)
    assert ran.status == 3
    assert " · $1.25" in ran.out
    gates = daemon.golemctl("gates", cwd=project.root).out
    assert "$1.25 of $1.00 (item_usd)" in gates
    assert f"golemctl decide {item} raise -m AMOUNT" in gates
    status = daemon.golemctl("status", cwd=project.root).out
    assert "$1.25 of $50.00 today" in status
    shown = daemon.golemctl("show", item, cwd=project.root).out
    assert "spent $1.25 of $1.00" in shown
    refused = daemon.golemctl("unblock", item, cwd=project.root)
    assert (refused.status, "option_needed" in refused.err) == (1, True)
    small = daemon.golemctl("decide", item, "raise", "-m", "0.10", cwd=project.root)
    assert "amount_too_small" in small.err
    assert "Raise it by more than $0.25." in small.err
    assert daemon.golemctl("decide", item, "raise", "-m", "1", cwd=project.root).status == 0
    assert daemon.golemctl("run", cwd=project.root).status == 0
    daemon.done(item)
