"""golem.toml: every way of being wrong, with its line, its key, what is allowed there and the way out."""

from __future__ import annotations

import pytest

from golemd.api.config import KINDS
from golemd.core import golem_toml
from golemd.core.keys import Place
from golemd.core.toml import Document
from tests.core.reading import bad, good, only

SMALLEST = """
[execution]
agent = "scripted"
"""


# --- what is wrong with one key ------------------------------------------------------------------------------------


def test_an_unknown_key_is_refused_with_the_one_that_was_probably_meant() -> None:
    assert bad("[execution]\nagent = 'scripted'\nmax_wipp = 1") == [
        "golem.toml:3: execution.max_wipp: unknown key; did you mean max_wip?"
    ]


def test_an_unknown_key_like_no_other_is_refused_with_those_that_there_are() -> None:
    problem = only(SMALLEST + '[budget]\n"a b" = 1')
    assert str(problem) == 'golem.toml:5: budget."a b": unknown key; allowed: day_usd, item_tokens, item_usd'
    assert (problem.line, problem.key, problem.message) == (5, 'budget."a b"', "unknown key")


HEAD = "[execution]\nagent = 'scripted'\n"
PHASE = HEAD + "[[pipelines.feature.phases]]\nname = 'a'\n"
WRONG = [
    (HEAD + "max_wip = 0", 3, "execution.max_wip", "must be between 1 and 1000000, not 0"),
    (HEAD + "max_wip = 1000001", 3, "execution.max_wip", "must be between 1 and 1000000, not 1000001"),
    (HEAD + "max_wip = true", 3, "execution.max_wip", "must be a whole number, not true or false"),
    (HEAD + "max_retries = 1.5", 3, "execution.max_retries", "must be a whole number, not a number"),
    (HEAD + "max_retries = -1", 3, "execution.max_retries", "must be between 0 and 1000000, not -1"),
    (HEAD + "max_concurrent = 0", 3, "execution.max_concurrent", "must be between 1 and 1000000, not 0"),
    (HEAD + "max_rounds = 0", 3, "execution.max_rounds", "must be between 1 and 1000000, not 0"),
    (HEAD + "default_phase_cap = 0", 3, "execution.default_phase_cap", "must be between 1 and 1000000, not 0"),
    (HEAD + "max_fix_attempts = []", 3, "execution.max_fix_attempts", "must be a whole number, not a list"),
    (HEAD + "grace_seconds = nan", 3, "execution.grace_seconds", "must be between 0.0 and 3600.0, not NaN"),
    (HEAD + "grace_seconds = '5'", 3, "execution.grace_seconds", "must be a number, not a text"),
    (HEAD + "phase_timeout_minutes = 0", 3, "execution.phase_timeout_minutes", "must be between 0.01 and 525600.0"),
    (HEAD + "hooks = 0", 3, "execution.hooks", "must be true or false, not a whole number"),
    (HEAD + "hooks = 2026-11-21", 3, "execution.hooks", "must be true or false, not a date or time"),
    (HEAD + "verify = 'make'", 3, "execution.verify", "must be a list, not a text"),
    (HEAD + "verify = [\n'a',\n' ',\n'b']", 5, "execution.verify[1]", "must not be empty"),
    (HEAD + "merge = 'sqash'", 3, "execution.merge", 'unknown value "sqash"'),
    (HEAD + "merge = 1", 3, "execution.merge", "must be a text, not a whole number"),
    (HEAD + "[project]\nprefix = '-x'", 4, "project.prefix", "must be at most 32 letters"),
    (HEAD + "[project]\nprefix = ''", 4, "project.prefix", "must be at most 32 letters"),
    (HEAD + "[project]\nname = '1a'", 4, "project.name", "must be a letter, then at most 63"),
    (HEAD + f"[project]\nname = '{'a' * 65}'", 4, "project.name", "must be a letter, then at most 63"),
    (HEAD + "[project]\nbase_branch = '--all'", 4, "project.base_branch", "must be a name that git accepts"),
    (HEAD + "[project]\nbranch_prefix = 'a..b'", 4, "project.branch_prefix", "must be a name that git accepts"),
    (HEAD + "[project]\ndefault_pipeline = 'x'", 4, "project.default_pipeline", "there is no pipeline x"),
    (HEAD + "[triage]\nagent = 'claud'", 4, "triage.agent", "there is no agent claud"),
    (HEAD + "[agents.x]\ncommand = ['a']", 3, "agents.x.kind", "is required"),
    (HEAD + "[agents.x]\nkind = 'commando'", 4, "agents.x.kind", 'unknown value "commando"'),
    (HEAD + "[agents.x]\nkind = 'command'", 3, "agents.x.command", "is required for an agent of kind command"),
    (HEAD + "[agents.command]\npass_env = []", 3, "agents.command.command", "is required for an agent of kind"),
    (HEAD + "[agents.x]\nkind='scripted'\ncommand = []", 5, "agents.x.command", "must not be an empty list"),
    (HEAD + "[agents.x]\nkind='scripted'\ncommand=['a']", 5, "agents.x.command", "has no effect on an agent of kind"),
    (HEAD + "[agents.x]\nkind='scripted'\nmodel='a'", 5, "agents.x.model", "has no effect on an agent of kind"),
    (HEAD + "[agents.x]\nkind='scripted'\npermissions='full'", 5, "agents.x.permissions", "has no effect on an agent"),
    (HEAD + "[agents.scripted]\nargs=['a']", 4, "agents.scripted.args", "has no effect on an agent of kind scripted"),
    (HEAD + "[agents.claude]\nmodel='-x'", 4, "agents.claude.model", "must be letters, digits and the characters"),
    (HEAD + "[agents.scripted]\npass_env=['A=1']", 4, "agents.scripted.pass_env[0]", "must be a variable's name"),
    (HEAD + "[agents.scripted.env]\n'A B'='1'", 4, 'agents.scripted.env."A B"', "must be a variable's name"),
    (HEAD + "[agents.scripted.env]\nGOLEM_X='1'", 4, "agents.scripted.env.GOLEM_X", "must be a variable's name"),
    (HEAD + "[agents.'my agent']\nkind='scripted'", 3, 'agents."my agent"', "must be a letter"),
    (HEAD + "[agents]\nx = 3", 4, "agents.x", "must be a table, not a whole number"),
    ("agents = 3\n" + HEAD, 1, "agents", "must be a table, not a whole number"),
    ("execution = 3", 1, "execution", "must be a table, not a whole number"),
    ("pipelines = 3", 1, "pipelines", "must be a table, not a whole number"),
    ("[execution]\nagent = 3", 2, "execution.agent", "must be a text, not a whole number"),
    (HEAD + "[pipelines.feature]\npre_phases = []", 3, "pipelines.feature.phases", "needs at least one phase"),
    (HEAD + "[pipelines]\nfeature = {phases = []}", 4, "pipelines.feature.phases", "needs at least one phase"),
    (HEAD + "[pipelines]\nfeature = {phases = [{name='a'}, 3]}", 4, "pipelines.feature.phases[1]", "must be a table"),
    (HEAD + "[pipelines.x_.y]\n[[pipelines.x_.phases]]\nname='a'", 3, "pipelines.x_.y", "unknown key"),
    (HEAD + "[[pipelines.1x.phases]]\nname='a'", 3, "pipelines.1x", "must be a letter, then at most 63"),
    (HEAD + "[[pipelines.feature.phases]]\ngate=[]", 3, "pipelines.feature.phases[0].name", "is required"),
    (HEAD + "[[pipelines.feature.phases]]\nname='a b'", 4, "pipelines.feature.phases[0].name", "must be a letter"),
    (HEAD + "[[pipelines.feature.phases]]\nname='triage'", 4, "pipelines.feature.phases[0].name", "triage is a name"),
    (PHASE + "agent = 'claud'", 5, "pipelines.feature.phases[0].agent", "there is no agent claud"),
    (PHASE + "agent = 3", 5, "pipelines.feature.phases[0].agent", "must be a text"),
    (
        PHASE + "agent = 'command'",
        5,
        "pipelines.feature.phases[0].agent",
        "agent command needs a section [agents.comma",
    ),
    (PHASE + "gate = 'aproval'", 5, "pipelines.feature.phases[0].gate", 'unknown value "aproval"'),
    (PHASE + "gate = ['a', 'b', 'a']", 5, "pipelines.feature.phases[0].gate", "names an approval twice"),
    (PHASE + "gate = true", 5, "pipelines.feature.phases[0].gate", "must be a list, not true or false"),
    (PHASE + "timeout_minutes = -1", 5, "pipelines.feature.phases[0].timeout_minutes", "must be between 0.01 and"),
    (PHASE + "workflows = ['']", 5, "pipelines.feature.phases[0].workflows[0]", "must not be empty"),
    (PHASE + "is_destructive = 'no'", 5, "pipelines.feature.phases[0].is_destructive", "must be true or false"),
    (PHASE + "[[pipelines.feature.phases]]\nname = 'a'", 6, "pipelines.feature.phases[1].name", "there is a phase a"),
]


@pytest.mark.parametrize(
    ("text", "line", "key", "message"), WRONG, ids=[f"{key}-{message}" for _, _, key, message in WRONG]
)
def test_a_wrong_value_is_one_problem_with_line_key_and_rule(text: str, line: int, key: str, message: str) -> None:
    problem = only(text)
    assert (problem.file, problem.line, problem.key) == ("golem.toml", line, key)
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "allowed", "suggestion"),
    [
        (HEAD + "merge = 'sqash'", ("none", "ff", "merge", "squash"), "squash"),
        (HEAD + "[agents.x]\nkind='commando'", KINDS, "command"),
        (HEAD + "[agents.x]\nargs=[]", KINDS, ""),
        (HEAD + "[project]\ndefault_pipeline='featur'", ("feature",), "feature"),
        (HEAD + "[triage]\nagent='scriptd'", ("scripted",), "scripted"),
        ("[agents.me]\nkind='command'\ncommand=['a']\n[execution]\nagent='m'", ("me", "scripted"), "me"),
        (PHASE + "gate = 'none'", ("approval",), ""),
        ("[execution]\nagent='codex'", ("scripted",), ""),
    ],
)
def test_what_is_allowed_is_named(text: str, allowed: tuple[str, ...], suggestion: str) -> None:
    problem = only(text)
    assert (problem.allowed, problem.suggestion) == (allowed, suggestion)
    assert f"allowed: {', '.join(allowed)}" in str(problem)


@pytest.mark.parametrize("branch", ["main", "release/1.2", "fix_#7", "übung", "a-b", "x.y"])
def test_a_branch_name_that_git_accepts_is_accepted(branch: str) -> None:
    assert good(SMALLEST + f"[project]\nbase_branch = '{branch}'").base_branch == branch


@pytest.mark.parametrize(
    "branch", ["-b", "/a", "a/", ".a", "a/.b", "a..b", "a//b", "a.lock", "a.lock/b", "a b", "a~1", "a^", "a:b", "a@{1}"]
)
def test_a_branch_name_that_git_refuses_is_refused(branch: str) -> None:
    assert only(SMALLEST + f"[project]\nbase_branch = '{branch}'").key == "project.base_branch"


@pytest.mark.parametrize("path", ["a", "a/b", "..a/b", "a..b"])
def test_a_path_inside_is_accepted(path: str) -> None:
    assert golem_toml.INSIDE(Place("golem.toml", Document({}, {}), {}), path) == path


@pytest.mark.parametrize("path", ["", "/a", "~/a", "..", "../a", "a/../b", "a/.."])
def test_a_path_that_leaves_is_refused(path: str) -> None:
    problem = only(SMALLEST + f"[workspace]\ncopy = ['{path}']")
    assert (problem.key, problem.line) == ("workspace.copy[0]", 5)
    artifacts = bad(PHASE + f"artifacts = [{{path='{path}', schema='s'}}]")
    assert [line.split(": ")[1] for line in artifacts] == [
        "pipelines.feature.phases[0].artifacts",
        "pipelines.feature.phases[0].artifacts[0].path",
    ]
