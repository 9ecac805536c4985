"""golem.toml: what is accepted and what it becomes, and every way of being wrong with its line, key and way out."""

from __future__ import annotations

import hashlib
import re

import msgspec
import pytest

from golemd.api.config import Agent, Budget, Execution, Pipeline, ProjectConfig
from golemd.core import golem_toml
from golemd.core.configuration import (
    DEFAULT_PIPELINE,
    canonical_json,
    digest,
    env_digest,
    folder_as_name,
)
from golemd.core.golem_toml_writer import template
from tests.core.reading import bad, good, read

SMALLEST = """
[execution]
agent = "scripted"
"""

FULL = """\
[project]
name = "demo"
prefix = "DM"
default_pipeline = "fix"
base_branch = "release/1.2"
branch_prefix = "bot/golem"
worklog = true

[guardrails]
max_size = "medium"

[execution]
agent = "shell"
workspace = "worktree"
merge = "none"
circuit_breaker = 2
max_fix_attempts = 0
max_rounds = 5
grace_seconds = 0.5
verify = ["make test"]
phase_timeout_minutes = 10
max_retries = 1
default_phase_cap = 7
max_wip = 3
max_concurrent = 2

[budget]
item_usd = 5
day_usd = 49.5
item_tokens = 2_000_000

[triage]
enabled = false
agent = "claude"

[agents.shell]
kind = "command"
command = ["./agent.sh", "{prompt_file}"]
env = { TOKEN = "hunter2" }
pass_env = ["ANTHROPIC_*"]

[agents.claude]
model = "opus"
permissions = "full"

[pipelines.fix]
pre_phases = [{ name = "look", agent = "scripted" }]

[[pipelines.fix.phases]]
name = "build"
is_destructive = true
workflows = ["docs/build.md"]
staleness = "ignore"
gate = "approval"
verify = []
timeout_minutes = 2.5
max_retries = 0
budget_usd = 1.25

[[pipelines.fix.phases]]
name = "ship"
gate = ["design", "safety"]
"""


# --- what is accepted ----------------------------------------------------------------------------------------------


def test_every_key_of_this_release_arrives_in_the_configuration() -> None:
    config = good(FULL)
    assert (config.name, config.prefix, config.default_pipeline) == ("demo", "DM", "fix")
    assert (config.base_branch, config.branch_prefix, config.worklog) == ("release/1.2", "bot/golem", True)
    assert config.execution == Execution(
        agent="shell",
        max_fix_attempts=0,
        max_rounds=5,
        grace_seconds=0.5,
        verify=("make test",),
        phase_timeout_minutes=10,
        max_retries=1,
        default_phase_cap=7,
        max_wip=3,
        max_concurrent=2,
    )
    assert config.triage.enabled is False
    assert config.budget == Budget(item_usd=5.0, day_usd=49.5, item_tokens=2_000_000)
    assert set(config.agents) == {"shell", "claude", "scripted"}
    assert config.agents["shell"].command == ("./agent.sh", "{prompt_file}")
    assert config.agents["shell"].pass_env == ("ANTHROPIC_*",)
    assert config.agents["claude"] == Agent("claude", model="opus", permissions="full")
    assert config.agents["scripted"] == Agent("scripted")
    fix = config.pipelines["fix"]
    assert [phase.name for phase in fix.all_phases] == ["look", "build", "ship"]
    look, build, ship = fix.all_phases
    assert (look.agent, build.agent, build.is_destructive) == ("scripted", None, True)
    assert (build.gate, ship.gate, look.gate) == (("approval",), ("design", "safety"), ())
    assert (build.verify, ship.verify, build.workflows) == ((), None, ("docs/build.md",))
    assert (build.timeout_minutes, build.max_retries) == (2.5, 0)
    assert (build.budget_usd, ship.budget_usd) == (1.25, None)


def test_a_pinned_pipeline_has_the_defaults_of_the_project_filled_in() -> None:
    look, build, ship = good(FULL).pinned("fix").all_phases
    assert (look.agent, build.agent) == ("scripted", "shell")
    assert (build.verify, ship.verify) == ((), ("make test",))
    assert (build.timeout_minutes, ship.timeout_minutes) == (2.5, 10.0)
    assert (build.max_retries, ship.max_retries) == (0, 1)
    with pytest.raises(KeyError):
        good(FULL).pinned("feature")


def test_a_configuration_survives_the_journal() -> None:
    config = good(FULL, salt=b"salt")
    assert msgspec.json.decode(msgspec.json.encode(config), type=ProjectConfig) == config


def test_without_pipelines_there_is_the_default_one() -> None:
    config = good(SMALLEST)
    assert config.pipelines == {"feature": DEFAULT_PIPELINE}
    assert config.default_pipeline == "feature"
    assert [phase.name for phase in DEFAULT_PIPELINE.phases if phase.is_destructive] == ["build"]


def test_the_only_pipeline_is_the_default_one() -> None:
    assert good(SMALLEST + "[[pipelines.fix.phases]]\nname = 'a'").default_pipeline == "fix"


def test_feature_is_the_default_one_of_several_pipelines() -> None:
    text = SMALLEST + "[[pipelines.fix.phases]]\nname = 'a'\n[[pipelines.feature.phases]]\nname = 'a'"
    assert good(text).default_pipeline == "feature"


def test_an_agent_of_a_later_release_may_be_declared_as_long_as_nobody_uses_it() -> None:
    text = "[agents.claude]\nargs = ['-x']\n[[pipelines.feature.phases]]\nname = 'a'\nagent = 'scripted'"
    assert set(good(text).agents) == {"claude", "scripted"}


def test_a_section_may_give_a_builtin_name_another_kind() -> None:
    config = good("[agents.claude]\nkind = 'command'\ncommand = ['c']")
    assert config.agents["claude"].kind == "command"


def test_what_is_off_may_be_said_of_functions_that_are_not_built() -> None:
    text = SMALLEST + (
        "circuit_breaker = 0\nmax_follow_ups = 0\nmax_follow_up_depth = 0\nverify_after_merge = false\n"
        "hooks = false\nsign = false\n[workspace]\nsetup = []\ncopy = []\n"
        "[budget]\nitem_usd = 0\nday_usd = 0.0\nitem_tokens = 0\n[roles]\n[agent]\nmodel = ' '\n"
        "[[pipelines.feature.phases]]\nname = 'a'\nrole = ''\nmodel = ''\ngraph = ''\nbudget_usd = 0\n"
        "artifacts = []\nvars = {}\nagent = ''\n"
    )
    assert good(text).execution.circuit_breaker == 0


def test_the_agent_of_triage_is_the_general_one_unless_it_has_its_own() -> None:
    text = "[execution]\nagent = 'scripted'\n[[pipelines.feature.phases]]\nname = 'a'\n[triage]\n"
    config = good(text)
    assert config.triage.enabled
    assert config.pinned("feature", triage=True).all_phases[0].agent == "scripted"
    own = good(text + "agent = 'claude'")
    assert set(own.agents) == {"scripted", "claude"}
    pinned = own.pinned("feature", triage=True)
    assert [(each.name, each.agent, each.verify) for each in pinned.all_phases] == [
        ("triage", "claude", ()),
        ("a", "scripted", ()),
    ]
    assert pinned.promoted_at == 1
    assert own.pinned("feature").promoted_at == 0


@pytest.mark.parametrize(
    ("folder", "name"),
    [("demo", "demo"), ("my.project v2", "my-project-v2"), ("2048", "project"), ("_x.", "x"), ("a" * 99, "a" * 64)],
)
def test_the_folder_gives_a_name_where_the_file_gives_none(folder: str, name: str) -> None:
    assert folder_as_name(folder) == name
    assert good(SMALLEST, folder_name=folder).name == name


# --- secrets -------------------------------------------------------------------------------------------------------


def test_values_of_the_environment_are_apart_from_the_configuration_and_shown_nowhere() -> None:
    reading = read(FULL, salt=b"salt")
    assert reading.environment == {"shell": {"TOKEN": "hunter2"}}
    assert reading.config is not None
    assert reading.config.agents["shell"].env_digests == {"TOKEN": env_digest(b"salt", "TOKEN", "hunter2")}
    assert b"hunter2" not in canonical_json(reading.config)
    assert "hunter2" not in repr(reading)
    section = golem_toml.AgentSection(env={"TOKEN": "hunter2"})
    assert "TOKEN" in repr(section)
    assert "hunter2" not in repr(section)


def test_a_digest_of_a_variable_depends_on_salt_name_and_value() -> None:
    digests = {env_digest(salt, name, value) for salt in (b"s", b"t") for name in "AB" for value in "12"}
    assert len(digests) == 8
    assert env_digest(b"", "A", "1") == ""
    assert good(FULL).agents["shell"].env_digests == {"TOKEN": ""}


def test_a_secret_of_the_wrong_type_or_form_is_not_repeated() -> None:
    text = SMALLEST + "[agents.x]\nkind='command'\ncommand=['a']\nenv={A=424242, B=\"hunter2\\u0000\"}"
    assert bad(text) == [
        "golem.toml:7: agents.x.env.A: must be a text, not a whole number",
        "golem.toml:7: agents.x.env.B: must not hold the character NUL",
    ]


# --- digests and the template --------------------------------------------------------------------------------------


def test_canonical_json_is_sorted_compact_utf8() -> None:
    assert canonical_json({"b": 1, "a": "ü"}) == b'{"a":"\xc3\xbc","b":1}'
    assert canonical_json(Pipeline("x")) == b'{"name":"x","phases":[],"pre_phases":[],"triage":null}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()


def test_the_same_file_written_otherwise_has_the_same_digest() -> None:
    one = good("[execution]\nagent = 'scripted'\nphase_timeout_minutes = 10\ngrace_seconds = 5")
    other = good("execution = { grace_seconds = 5.0, phase_timeout_minutes = 10.0, agent = 'scripted' }")
    assert digest(one) == digest(other)
    assert digest(one) != digest(good(SMALLEST))


@pytest.mark.parametrize("branch", ["main", "", "feature/ü-\U0001f600"])
def test_the_template_is_read_back_without_a_problem(branch: str) -> None:
    reading = read(template("demo", "DM", branch))
    assert (reading.problems, reading.warnings) == ((), ())
    config = reading.config
    assert config is not None
    assert (config.name, config.prefix, config.base_branch) == ("demo", "DM", branch)
    assert config.triage.enabled is False
    assert (config.execution.agent, config.agents["claude"].permissions) == ("claude", "edit")
    assert [phase.name for phase in config.pipelines["feature"].phases] == ["plan", "build", "review"]


def test_what_the_template_has_commented_out_is_good_as_well() -> None:
    text = re.sub(r"^# (?=\[|[a-z_]+ = )", "", template("demo", "DM", ""), flags=re.MULTILINE)
    config = good(text)
    assert set(config.agents) == {"claude", "mine"}
    assert config.agents["mine"].command == ("./agent.sh", "{prompt_file}")
    assert config.base_branch == "main"
    assert config.execution.verify == ("make test",)
    assert config.pipelines["feature"].phases[0].gate == ("approval",)
