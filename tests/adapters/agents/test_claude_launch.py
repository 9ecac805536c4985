"""The command line, the orders and the environment of Claude Code; which of its versions will do."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from golemd.adapters import agents
from golemd.adapters.agents.words import RESULT_SCHEMA
from golemd.api.config import Agent
from golemd.api.model import ResultCode
from tests.adapters.agents.lab import Lab


def after(argv: tuple[str, ...], word: str) -> str:
    return argv[argv.index(word) + 1]


def argv_of(lab: Lab, agent: Agent | None = None, **more: Any) -> tuple[str, ...]:
    return agents.launch(lab.request(agent or Agent("claude"), **more)).argv


def test_it_runs_without_a_terminal_and_answers_by_the_schema(lab: Lab) -> None:
    argv = argv_of(lab)
    assert argv[0] == "claude"
    assert {"-p", "--verbose"} < set(argv)
    assert after(argv, "--output-format") == "stream-json"
    assert json.loads(after(argv, "--json-schema")) == RESULT_SCHEMA


def test_the_prompt_goes_in_by_standard_input_and_no_word_of_it_by_argv(lab: Lab) -> None:
    launch = agents.launch(lab.request(Agent("claude"), "Prömpt of W-1 🦀"))
    assert launch.stdin is not None
    assert launch.stdin.startswith("Prömpt of W-1 🦀\n")
    assert "structured final answer" in launch.stdin
    assert not any("W-1" in word or "build" in word for word in launch.argv)


def test_a_new_session_has_an_id_of_its_own_and_a_resumed_one_keeps_its_own(lab: Lab) -> None:
    launch, other = (agents.launch(lab.request(Agent("claude"))) for _ in range(2))
    assert str(uuid.UUID(launch.session)) == launch.session == after(launch.argv, "--session-id")
    assert launch.session != other.session
    resumed = agents.launch(lab.request(Agent("claude"), resume=launch.session))
    assert after(resumed.argv, "--resume") == launch.session
    assert (resumed.session, "--session-id" in resumed.argv) == ("", False)


@pytest.mark.parametrize(
    ("permissions", "mode"), [("read", "dontAsk"), ("edit", "acceptEdits"), ("full", "bypassPermissions")]
)
def test_permissions_are_called_what_it_calls_them(lab: Lab, permissions: str, mode: str) -> None:
    argv = argv_of(lab, Agent("claude", permissions=permissions))
    assert after(argv, "--permission-mode") == mode
    assert ("--disallowedTools" in argv) == (permissions == "read")


def test_the_phases_model_wins_over_the_agents(lab: Lab) -> None:
    assert "--model=b" in argv_of(lab, Agent("claude", model="a"), model="b")
    assert "--model=a" in argv_of(lab, Agent("claude", model="a"))
    assert not any(word.startswith("--model") for word in argv_of(lab))


@pytest.mark.parametrize(("budget", "word"), [(1.5, "1.500000"), (1e-9, "0.000001"), (-2.0, "0.000001")])
def test_a_budget_is_never_nothing_since_nothing_would_be_no_limit(lab: Lab, budget: float, word: str) -> None:
    assert after(argv_of(lab, budget_usd=budget), "--max-budget-usd") == word
    assert "--max-budget-usd" not in argv_of(lab)


def test_a_command_of_ones_own_is_found_from_the_root_and_args_come_last(lab: Lab) -> None:
    argv = argv_of(lab, Agent("claude", ("tools/claude", "--debug"), args=("--effort", "low")))
    assert argv[:2] == (f"{lab.workspace.parent}/tools/claude", "--debug")
    assert argv[-2:] == ("--effort", "low")


def test_it_is_told_to_call_nobody_but_the_model(lab: Lab) -> None:
    env = agents.launch(lab.request(Agent("claude"))).env
    assert env == {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}


def test_the_schema_asks_for_what_a_result_needs_and_knows_its_codes() -> None:
    assert RESULT_SCHEMA["required"] == ["item_id", "phase", "result", "summary"]
    assert RESULT_SCHEMA["properties"]["result"]["enum"] == [code.value for code in ResultCode]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2.1.328 (Claude Code)\n", None),
        ("2.1.197 (Claude Code)", None),
        ("2.30.0", None),
        ("2.1.196 (Claude Code)", "too old"),
        ("1.0.128 (Claude Code)", "too old"),
        ("3.0.0 (Claude Code)", "newer kind"),
        ("claude: command not found", "does not say"),
        ("", "does not say"),
    ],
)
def test_versions_too_old_of_another_kind_or_unknown_are_named(text: str, problem: str | None) -> None:
    judge = agents.kind_of("claude").version_problem
    assert judge is not None
    found = judge(text)
    assert found is None if problem is None else problem in (found or "")
