"""golem.toml: what this release does not have, what contradicts something else, and all problems at once."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.api.config import AVAILABLE_KINDS, KINDS, Agent
from golemd.core import golem_toml
from tests.core.reading import bad, good, literal, only, read

SMALLEST = """
[execution]
agent = "scripted"
"""

HEAD = "[execution]\nagent = 'scripted'\n"
PHASE = HEAD + "[[pipelines.feature.phases]]\nname = 'a'\n"


# --- what this release does not have -------------------------------------------------------------------------------

NOT_BUILT = [
    (HEAD + "merge = 'squash'", "execution.merge", 'remove it or set it to "none"'),
    (HEAD + "hooks = true", "execution.hooks", "remove it or set it to false"),
    (HEAD + "sign = true", "execution.sign", "remove it or set it to false"),
    (HEAD + "[roles.builder]\nmodel = 'x'", "roles", "remove it or set it to {}"),
    (PHASE + "role = 'builder'", "pipelines.feature.phases[0].role", "remove it"),
    (PHASE + "graph = 'x'", "pipelines.feature.phases[0].graph", "remove it"),
    (PHASE + "vars = { a = '1' }", "pipelines.feature.phases[0].vars", "remove it or set it to {}"),
    (
        PHASE + "artifacts = [{ path = 'a', schema = 'b' }]",
        "pipelines.feature.phases[0].artifacts",
        "remove it or set it to []",
    ),
]


@pytest.mark.parametrize(("text", "key", "way_out"), NOT_BUILT, ids=[key for _, key, _ in NOT_BUILT])
def test_a_function_that_is_not_built_is_refused_with_the_way_out(text: str, key: str, way_out: str) -> None:
    problem = only(text)
    assert (problem.key, problem.message) == (key, f"is not available in this release; {way_out}")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in AVAILABLE_KINDS])
def test_an_agent_of_a_kind_that_is_not_built_is_refused_where_it_is_used(kind: str) -> None:
    message = f"agent {kind} is of kind {kind}, which is not available in this release; use one of kind claude or"
    general = only(f"[execution]\nagent = '{kind}'")
    assert (general.line, general.key) == (2, "execution.agent")
    assert general.message.startswith(message)
    phase = only(PHASE + f"agent = '{kind}'")
    assert (phase.line, phase.key) == (5, "pipelines.feature.phases[0].agent")
    assert phase.message.startswith(message)
    named = only(f"[agents.x]\nkind = '{kind}'\n[execution]\nagent = 'x'")
    assert named.message.startswith(f"agent x is of kind {kind}")


def test_a_file_that_names_no_agent_gets_the_default_agent() -> None:
    found = good("")
    assert (found.execution.agent, found.agents["claude"].kind) == ("claude", "claude")


def test_the_default_agent_is_not_looked_at_when_every_phase_names_its_own() -> None:
    text = "[triage]\nenabled = false\n[[pipelines.feature.phases]]\nname = 'a'\nagent = 'scripted'"
    config = good(text)
    assert config.execution.agent == "claude"
    assert set(config.agents) == {"scripted"}


def test_the_agent_of_phase_golem_is_the_default_agent() -> None:
    problem = only("[agent]\ncli = 'opencode'")
    assert (problem.line, problem.key) == (2, "agent.cli")
    text = "[agents.claude]\nkind = 'command'\ncommand = ['c']\n[agent]\ncli = 'claude'"
    assert good(text).execution.agent == "claude"
    assert good(text + "\n[execution]\nagent = 'claude'").execution.agent == "claude"


def test_two_default_agents_contradict_each_other() -> None:
    problem = only(SMALLEST + "[agent]\ncli = 'claude'")
    assert (problem.line, problem.key) == (5, "agent.cli")
    assert problem.message == "differs from execution.agent, which is scripted; remove one of them"


def test_the_model_of_phase_golem_is_that_of_the_default_agent() -> None:
    config = good("[agent]\nmodel = 'opus'")
    assert config.agents == {"claude": Agent("claude", model="opus")}
    assert good("[agent]\nmodel = 'opus'\n[agents.claude]\nmodel = 'opus'").agents == config.agents
    everyone = "[triage]\nenabled = false\n[[pipelines.feature.phases]]\nname = 'a'\nagent = 'scripted'"
    assert set(good("[agent]\nmodel = 'opus'\n" + everyone).agents) == {"scripted"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "[agent]\nmodel = 'm'", "is for claude, and execution.agent is scripted; remove it"),
        (
            "[agents.claude]\nkind = 'command'\ncommand = ['c']\n[agent]\nmodel = 'm'",
            "has no effect on an agent of kind",
        ),
        ("[agents.claude]\nmodel = 'n'\n[agent]\nmodel = 'm'", "differs from agents.claude.model, which is n; remove"),
    ],
)
def test_a_general_model_for_nobody_is_refused(text: str, message: str) -> None:
    problem = only(text)
    assert problem.key == "agent.model"
    assert problem.message.startswith(message)


def test_a_phase_may_name_a_model_of_its_own_where_its_agent_takes_one() -> None:
    text = "[[pipelines.feature.phases]]\nname = 'a'\nmodel = 'opus'\n"
    assert [each.model for each in good(text).pipelines["feature"].phases] == ["opus"]
    for agent, kind in (("scripted", "scripted"), ("mine", "command")):
        problem = only(f"{text}agent = '{agent}'\n[agents.mine]\nkind = 'command'\ncommand = ['c']")
        assert (problem.key, problem.line) == ("pipelines.feature.phases[0].model", 3)
        assert problem.message == f"has no effect on an agent of kind {kind}; remove it"
    assert only(HEAD + text).key == "pipelines.feature.phases[0].model", "its agent is that of all"


def test_several_pipelines_without_feature_need_a_default_one() -> None:
    problem = only(HEAD + "[[pipelines.a.phases]]\nname = 'x'\n[[pipelines.b.phases]]\nname = 'x'")
    assert (problem.key, problem.message) == ("project.default_pipeline", "there is no pipeline feature")
    assert problem.allowed == ("a", "b")


def test_pre_phases_may_not_be_destructive_nor_take_the_name_of_a_phase() -> None:
    text = PHASE + "[[pipelines.feature.pre_phases]]\nname = 'a'\nis_destructive = true"
    assert bad(text) == [
        "golem.toml:4: pipelines.feature.phases[0].name: there is a phase a already, on line 6",
        "golem.toml:7: pipelines.feature.pre_phases[0].is_destructive: must be false for a pre-phase",
    ]


# --- all at once ---------------------------------------------------------------------------------------------------


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        "[project]\nprefix = '!'\n[execution]\nagent = 'nobody'\nmax_wip = 0\nhoks = true\n"
        "[[pipelines.feature.phases]]\nname = 'a'\nworkspace = 'x'\n"
    )
    assert [re.split(r": ", line)[0:2] for line in bad(text)] == [
        ["golem.toml:2", "project.prefix"],
        ["golem.toml:4", "execution.agent"],
        ["golem.toml:5", "execution.max_wip"],
        ["golem.toml:6", "execution.hoks"],
        ["golem.toml:9", "pipelines.feature.phases[0].workspace"],
    ]


def test_broken_syntax_is_the_only_problem() -> None:
    problem = only("[execution]\nmax_wip = 0\nbroken\n")
    assert str(problem).startswith("golem.toml:3: is not valid TOML: ")
    assert problem.key == ""


def test_messages_quote_a_long_or_unprintable_value_short_and_safe() -> None:
    long = only(HEAD + f"merge = '{'x' * 500}'")
    assert long.message == f'unknown value "{"x" * 59}…"'
    assert only(HEAD + 'merge = "\\u001b[31mü"').message == 'unknown value "\\u001b[31m\\u00fc"'
    assert only(HEAD + "merge = 'ü'").message == 'unknown value "ü"'


KEYS = st.sampled_from([*golem_toml.EXECUTION, *golem_toml.PHASE, *golem_toml.AGENT, "project", "pipelines", "x"])
JSON = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from([*KINDS, "block", "shared"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(list(msgspec.structs.asdict(golem_toml.Sections()))), JSON, max_size=4))
def test_no_valid_toml_is_beyond_reading(data: dict[str, Any]) -> None:
    reading = read("\n".join(f"{key} = {literal(value)}" for key, value in data.items()))
    assert (reading.config is None) == bool(reading.problems)
    assert len({problem.key for problem in reading.problems}) == len(reading.problems)
