"""phase-golem.toml: read as that program read it, with golemd's own keys allowed in it, and written as a golem.toml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.api import config as api
from golemd.core import golem_toml
from golemd.core.configuration import DEFAULT_PIPELINE, Reading, digest, read_project
from golemd.core.golem_toml_writer import equivalent, seen_from
from tests.core.reading import literal

TREES: Final = "[execution]\nworkspace = 'worktree'\n"


@contextmanager
def all_built() -> Iterator[None]:
    """As it is when every kind of agent that such a file can ask for exists."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "AVAILABLE_KINDS", api.KINDS)
        yield


def read(text: str, **more: Any) -> Reading:
    return read_project(text, "phase-golem.toml", **{"dialect": "phase-golem", "folder_name": "folder", **more})


def good(text: str) -> api.ProjectConfig:
    reading = read(text)
    assert reading.problems == ()
    assert reading.config is not None
    return reading.config


def bad(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


# --- defaults ------------------------------------------------------------------------------------------------------


def test_an_empty_file_means_what_it_meant() -> None:
    with all_built():
        config = good("")
    execution = config.execution
    assert (config.name, config.prefix, config.default_pipeline) == ("folder", "WRK", "feature")
    assert (execution.workspace, execution.agent) == ("shared", "claude")
    assert (execution.phase_timeout_minutes, execution.max_retries, execution.default_phase_cap) == (30, 2, 100)
    assert (execution.max_wip, execution.max_concurrent) == (1, 1)
    assert config.guardrails == api.Guardrails("medium", "medium", "low")
    assert config.agents == {"claude": api.Agent("claude", permissions="full")}
    assert config.pipelines == {"feature": DEFAULT_PIPELINE}


def test_the_shared_workspace_is_what_such_a_file_means() -> None:
    assert good("").execution.workspace == "shared"
    assert good(TREES).execution.workspace == "worktree"


def test_agent_and_model_are_those_of_all_phases() -> None:
    with all_built():
        config = good("[agent]\ncli = 'opencode'\nmodel = ' a/b-1 '\n")
    assert config.execution.agent == "opencode"
    assert config.agents == {"opencode": api.Agent("opencode", model="a/b-1", permissions="full")}
    assert good(TREES + "[agent]\nmodel = '  '").agents["claude"].model is None


def test_what_agents_may_do_is_said_once_and_can_be_narrowed() -> None:
    (remark,) = read(TREES).remarks
    assert remark == (
        'As under phase-golem, claude may do anything (permissions = "full"); '
        'for less, write permissions = "edit" under [agents.claude].'
    )
    narrow = read(TREES + "[agents.claude]\npermissions = 'edit'")
    assert narrow.remarks == ()
    assert narrow.config is not None
    assert narrow.config.agents["claude"].permissions == "edit"
    own = read(TREES + "agent = 'me'\n[agents.me]\nkind = 'command'\ncommand = ['./me']")
    assert own.remarks == ()
    assert own.config is not None
    assert own.config.agents["me"] == api.Agent("command", ("./me",))


def test_golemds_own_keys_are_allowed() -> None:
    config = good(
        "[project]\nname = 'mine'\n" + TREES + "verify = ['make']\n"
        "[[pipelines.feature.phases]]\nname = 'a'\ngate = 'approval'\ntimeout_minutes = 5\n"
    )
    phase = config.pipelines["feature"].phases[0]
    assert (config.name, config.execution.verify) == ("mine", ("make",))
    assert (phase.gate, phase.timeout_minutes, phase.is_destructive) == (("approval",), 5.0, False)


# --- unknown keys and old names ------------------------------------------------------------------------------------


def test_unknown_keys_are_warnings_where_phase_golem_ignored_them() -> None:
    reading = read(TREES + "max_wipp = 3\n[project]\nowner = 'me'\n[colours]\nx = 1\n[guardrails]\nfoo = true\n")
    assert reading.config is not None
    assert [re.sub("; allowed.*", "", str(each)) for each in reading.warnings] == [
        "phase-golem.toml:3: execution.max_wipp: unknown key, ignored; did you mean max_wip?",
        "phase-golem.toml:5: project.owner: unknown key, ignored",
        "phase-golem.toml:6: colours: unknown key, ignored",
        "phase-golem.toml:9: guardrails.foo: unknown key, ignored",
    ]


def test_unknown_keys_are_errors_where_phase_golem_refused_them() -> None:
    text = TREES + "[agent]\nclii = 'claude'\n[[pipelines.feature.phases]]\nname = 'a'\nworkflow = ['x']\n"
    assert bad(text) == [
        "phase-golem.toml:4: agent.clii: unknown key; did you mean cli?",
        "phase-golem.toml:7: pipelines.feature.phases[0].workflow: unknown key; did you mean workflows?",
    ]


def test_destructive_is_another_name_here_alone() -> None:
    phase = "[[pipelines.feature.phases]]\nname = 'a'\ndestructive = true\n"
    assert good(TREES + phase).pipelines["feature"].phases[0].is_destructive is True
    assert bad(TREES + phase + "is_destructive = true") == [
        "phase-golem.toml:5: pipelines.feature.phases[0].destructive: is another name of is_destructive, which is "
        "there too; remove one of them"
    ]
    (problem,) = read_project(phase, "golem.toml", folder_name="x").problems
    assert (problem.key, problem.suggestion) == ("pipelines.feature.phases[0].destructive", "is_destructive")


def test_a_destructive_pre_phase_is_refused_by_either_name() -> None:
    for name in ("destructive", "is_destructive"):
        text = TREES + f"[pipelines.feature]\npre_phases = [{{name = 'a', {name} = true}}]\nphases = [{{name = 'b'}}]"
        (problem,) = read(text).problems
        assert (problem.line, problem.message) == (4, "must be false for a pre-phase")


# --- rules ---------------------------------------------------------------------------------------------------------


def test_blocking_on_staleness_needs_one_item_at_a_time_only_where_the_tree_is_shared() -> None:
    phase = "[[pipelines.feature.phases]]\nname = 'a'\nstaleness = 'block'\n"
    with all_built():
        (problem,) = read("[execution]\nmax_wip = 2\n" + phase).problems
        assert str(problem) == (
            "phase-golem.toml:5: pipelines.feature.phases[0].staleness: block needs max_wip = 1 in a shared workspace; "
            "allowed: ignore, warn"
        )
        assert good("[execution]\nmax_wip = 1\n" + phase)
        assert good("[execution]\nmax_wip = 2\nworkspace = 'worktree'\n" + phase)
        assert good("[execution]\nmax_wip = 2\n" + phase.replace("block", "warn"))


def test_without_a_pipeline_called_feature_the_first_one_is_the_default() -> None:
    two = TREES + "[[pipelines.z.phases]]\nname = 'x'\n[[pipelines.a.phases]]\nname = 'x'\n"
    reading = read(two)
    assert reading.config is not None
    assert reading.config.default_pipeline == "z"
    assert [str(each) for each in reading.warnings] == [
        "phase-golem.toml:1: project.default_pipeline: is z where nothing is said, since there is no pipeline feature"
    ]
    named = read(two + "[project]\ndefault_pipeline = 'a'")
    assert (named.config and named.config.default_pipeline, named.warnings) == ("a", ())
    assert bad(two + "[project]\ndefault_pipeline = 'b'")


BROKEN: Final = """\
[project]
prefix = "W R K"
[guardrails]
max_size = "huge"
max_complexity = "hard"
max_risk = "none"
[execution]
phase_timeout_minutes = -1
max_retries = -1
default_phase_cap = "100"
max_wip = 0
max_concurrent = 0
[agent]
cli = "Claude"
model = "-x"
colour = "red"
[pipelines.empty]
phases = []
[[pipelines.feature.pre_phases]]
name = "look"
is_destructive = true
[[pipelines.feature.phases]]
name = "look"
destructive = "no"
workflows = "build.md"
staleness = "maybe"
[[pipelines.feature.phases]]
is_destructive = true
extra = 1
[[pipelines.feature.phases]]
name = "triage"
is_destructive = false
"""


def test_every_rule_broken_at_once_is_told_with_line_key_and_what_is_allowed() -> None:
    with all_built():
        assert bad(BROKEN) == [
            "phase-golem.toml:2: project.prefix: must be at most 32 letters, digits, underscores and hyphens, no "
            'hyphen first, not "W R K"',
            'phase-golem.toml:4: guardrails.max_size: unknown value "huge"; allowed: small, medium, large',
            'phase-golem.toml:5: guardrails.max_complexity: unknown value "hard"; allowed: low, medium, high',
            'phase-golem.toml:6: guardrails.max_risk: unknown value "none"; allowed: low, medium, high',
            "phase-golem.toml:8: execution.phase_timeout_minutes: must be between 0.01 and 525600.0, not -1",
            "phase-golem.toml:9: execution.max_retries: must be between 0 and 1000000, not -1",
            "phase-golem.toml:10: execution.default_phase_cap: must be a whole number, not a text",
            "phase-golem.toml:11: execution.max_wip: must be between 1 and 1000000, not 0",
            "phase-golem.toml:12: execution.max_concurrent: must be between 1 and 1000000, not 0",
            'phase-golem.toml:14: agent.cli: unknown value "Claude"; did you mean claude?; allowed: claude, opencode',
            "phase-golem.toml:15: agent.model: must be letters, digits and the characters . _ / -, not beginning with "
            'a hyphen, not "-x"',
            "phase-golem.toml:16: agent.colour: unknown key; allowed: cli, model",
            "phase-golem.toml:18: pipelines.empty.phases: needs at least one phase",
            "phase-golem.toml:21: pipelines.feature.pre_phases[0].is_destructive: must be false for a pre-phase",
            "phase-golem.toml:23: pipelines.feature.phases[0].name: there is a phase look already, on line 20",
            "phase-golem.toml:24: pipelines.feature.phases[0].destructive: must be true or false, not a text",
            "phase-golem.toml:25: pipelines.feature.phases[0].workflows: must be a list, not a text",
            'phase-golem.toml:26: pipelines.feature.phases[0].staleness: unknown value "maybe"; '
            "allowed: ignore, warn, block",
            "phase-golem.toml:27: pipelines.feature.phases[1].name: is required",
            "phase-golem.toml:29: pipelines.feature.phases[1].extra: unknown key; "
            f"allowed: {', '.join(sorted(golem_toml.PHASE))}",
            "phase-golem.toml:31: pipelines.feature.phases[2].name: triage is a name that golemd needs itself",
        ]


# --- the equivalent golem.toml -------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,6}", fullmatch=True).filter(lambda name: name != "triage")
COUNTS = st.integers(1, 1000)
LEVELS = st.sampled_from(["low", "medium", "high"])
# What TOML can write: any text without NUL, which golemd refuses.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8).filter(str.strip)
PHASES = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "workflows": st.lists(TEXTS, max_size=2),
        "staleness": st.sampled_from(["ignore", "warn", "block"]),
        "gate": st.just("approval") | st.lists(NAMES, unique=True, max_size=2),
        "verify": st.lists(TEXTS, max_size=2),
        "timeout_minutes": st.floats(0.01, 500_000),
        "max_retries": COUNTS,
    },
)


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    phases = draw(st.lists(PHASES, unique_by=lambda phase: phase["name"], min_size=1, max_size=4))
    cut = draw(st.integers(0, len(phases) - 1))
    main = [
        phase | draw(st.sampled_from([{}, {"destructive": True}, {"is_destructive": False}])) for phase in phases[cut:]
    ]
    return {"pre_phases": phases[:cut], "phases": main}


VARIABLES = st.dictionaries(st.from_regex(r"[A-Z_]{1,5}", fullmatch=True), TEXTS, max_size=2)
FILES = st.fixed_dictionaries(
    {},
    optional={
        "project": st.fixed_dictionaries({}, optional={"prefix": NAMES, "name": NAMES, "base_branch": NAMES}),
        "guardrails": st.fixed_dictionaries(
            {}, optional={"max_size": st.sampled_from(["small", "medium", "large"]), "max_risk": LEVELS}
        ),
        "execution": st.fixed_dictionaries(
            {"max_wip": st.just(1)},
            optional={
                "workspace": st.sampled_from(["worktree", "shared"]),
                "phase_timeout_minutes": COUNTS,
                "max_retries": COUNTS,
                "default_phase_cap": COUNTS,
                "max_concurrent": COUNTS,
                "grace_seconds": st.floats(0, 3600),
                "verify": st.lists(TEXTS, max_size=2),
            },
        ),
        "agent": st.fixed_dictionaries(
            {},
            optional={
                "cli": st.sampled_from(["claude", "opencode"]),
                "model": st.from_regex(r"[a-z./]{1,5}", fullmatch=True),
            },
        ),
        "agents": st.fixed_dictionaries(
            {},
            optional={
                "me": st.fixed_dictionaries(
                    {"kind": st.just("command"), "command": st.lists(TEXTS, min_size=1, max_size=2)},
                    optional={"env": VARIABLES, "pass_env": st.just(["A_*"])},
                ),
                "codex": st.fixed_dictionaries(
                    {}, optional={"permissions": st.sampled_from(["read", "edit"]), "args": st.lists(TEXTS, max_size=2)}
                ),
            },
        ),
        "triage": st.fixed_dictionaries({}, optional={"enabled": st.booleans(), "agent": st.just("codex")}),
        "pipelines": st.dictionaries(NAMES, pipelines(), max_size=3),
        "unheard_of": st.just({"x": 1}),
    },
)


@given(FILES, st.booleans())
def test_the_golem_toml_made_from_a_file_is_read_as_the_same_configuration(data: dict[str, Any], salted: bool) -> None:
    salt = b"salt" if salted else b""
    with all_built():
        old = read("\n".join(f"{key} = {literal(value)}" for key, value in data.items()), salt=salt)
        assert old.config is not None, old.problems
        text = equivalent(old.config, old.environment, "phase-golem.toml")
        new = read_project(text, "golem.toml", folder_name="elsewhere", salt=salt)
    assert new.problems == ()
    assert new.config == old.config
    assert digest(new.config) == digest(old.config)
    assert new.environment == old.environment
    assert f'workspace = "{old.config.execution.workspace}"' in text


def test_every_key_of_a_golem_toml_can_be_written() -> None:
    """Keys of functions that are not built yet included: they cannot be read in this release, only written."""
    config = api.ProjectConfig(
        "demo",
        workspace=api.Workspace(("npm ci",), (".env",)),
        budget=api.Budget(1.5, 20.0, 7),
        roles={"builder": api.Role("claude", system_prompt="be brief"), "idle": api.Role()},
        pipelines={
            "feature": api.Pipeline(
                "feature", (), (api.Phase("a", artifacts=(api.Artifact("a.json", "s"),), vars={"x": "1", "y": "\x7f"}),)
            )
        },
    )
    text = equivalent(config, {}, "phase-golem.toml")
    for line in (
        'setup = ["npm ci"]',
        'copy = [".env"]',
        "item_usd = 1.5",
        'system_prompt = "be brief"',
        "[roles.idle]",
        'artifacts = [{ "path" = "a.json", "schema" = "s" }]',
        'vars = { "x" = "1", "y" = "\\u007f" }',
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize(
    ("folder", "workflow", "seen"),
    [
        ("", "docs/a.md", "docs/a.md"),
        ("sub", "docs/a.md", "sub/docs/a.md"),
        ("sub/deep", "../a.md", "sub/a.md"),
        ("/etc/golem", "a.md", "/etc/golem/a.md"),
        ("sub", "/abs/a.md", "/abs/a.md"),
    ],
)
def test_workflows_stay_relative_to_the_file_that_named_them(folder: str, workflow: str, seen: str) -> None:
    phases = (api.Phase("a", workflows=(workflow,)),)
    moved = seen_from(folder, {"feature": api.Pipeline("feature", phases, phases)})["feature"]
    assert [phase.workflows for phase in moved.all_phases] == [(seen,), (seen,)]
