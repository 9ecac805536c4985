"""golemd.toml: its defaults, its limits, and what is refused."""

from __future__ import annotations

import pytest

from golemd.settings import LIMITS, Limits, Notify, Settings, read_settings

EVERY_KEY = """\
max_agents = 8
max_concurrent_runs = 6
on_stop = "keep"
worktree_root = "/var/tmp/trees"
min_free_gb = 5
min_free_memory_mb = 0
max_memory_mb = 2048
max_output_mb = 50
idle_timeout_minutes = 0
logs_days = 30
[notify]
command = ["tell", "me"]
[environment]
set = { EDITOR = "true", TOKEN = "hunter2" }
pass = ["NPM_*"]
path = "/opt/bin:/usr/bin"
[limits]
message_bytes = 65536
nesting = 16
elements = 4096
connections = 3
in_flight = 2
notify_seconds = 7.5
notify_tries = 2
finish_seconds = 0.5
follower_bytes = 65536
record_bytes = 131072
segment_bytes = 262144
reserve_bytes = 65536
tokens = 100_000
token_days = 7
snapshot_events = 50_000
"""


def good(text: str) -> Settings:
    settings = read_settings(text, "golemd.toml")
    assert isinstance(settings, Settings), [str(problem) for problem in settings]
    return settings


def bad(text: str) -> list[str]:
    problems = read_settings(text, "golemd.toml")
    assert isinstance(problems, list)
    return [str(problem) for problem in problems]


def test_an_empty_file_means_the_defaults() -> None:
    assert good("") == Settings()
    assert Settings().limits == Limits(
        message_bytes=1048576,
        nesting=32,
        elements=65536,
        connections=64,
        in_flight=32,
        finish_seconds=5.0,
        follower_bytes=1048576,
        record_bytes=1048576,
        segment_bytes=67108864,
        reserve_bytes=4194304,
        tokens=100000,
        token_days=7,
        snapshot_events=50000,
    )


def test_every_key_arrives_in_the_settings() -> None:
    settings = good(EVERY_KEY)
    assert (settings.max_agents, settings.max_concurrent_runs, settings.on_stop) == (8, 6, "keep")
    assert (settings.worktree_root, settings.max_output_mb) == ("/var/tmp/trees", 50)
    assert settings.max_memory_mb == 2048
    assert (settings.idle_timeout_minutes, settings.min_free_memory_mb, settings.min_free_gb) == (0.0, 0, 5.0)
    assert settings.notify == Notify(("tell", "me"))
    assert settings.environment.variables == {"EDITOR": "true", "TOKEN": "hunter2"}
    assert settings.environment.pass_env == ("NPM_*",)
    assert settings.environment.path == "/opt/bin:/usr/bin"
    assert settings.limits == Limits(65536, 16, 4096, 3, 2, 0.5, 65536, 7.5, 2, 131072, 262144, 65536)


@pytest.mark.parametrize(
    ("text", "machine_mb", "limit_mb"),
    [
        ("", 16_000, 14_976),
        ("min_free_memory_mb = 0", 16_000, 16_000),
        ("", 1_200, 600),
        ("max_memory_mb = 0", 1_000, 500),
        ("max_memory_mb = 2048", 1_000, 2048),
    ],
)
def test_an_attempt_may_use_what_need_not_stay_free_unless_the_file_says_how_much(
    text: str, machine_mb: int, limit_mb: int
) -> None:
    assert good(text).on_machine((machine_mb << 20) + 5).max_memory_mb == limit_mb


def test_every_limit_has_a_key_and_its_default_is_allowed() -> None:
    assert set(LIMITS) == set(Limits.__struct_fields__)
    lines = [f"{name} = {getattr(Limits(), name)}" for name in Limits.__struct_fields__]
    assert good("[limits]\n" + "\n".join(lines)) == Settings()


def test_values_of_the_environment_are_not_shown() -> None:
    assert "TOKEN" in repr(good(EVERY_KEY))
    assert "hunter2" not in repr(good(EVERY_KEY))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("max_agents = 0", "golemd.toml:1: max_agents: must be between 1 and 1000000, not 0"),
        ("max_agent = 1", "golemd.toml:1: max_agent: unknown key; did you mean max_agents?"),
        ("on_stop = 'kep'", 'golemd.toml:1: on_stop: unknown value "kep"; did you mean keep?; allowed: end, keep'),
        ("max_memory_mb = 63", "golemd.toml:1: max_memory_mb: must be 0, or between 64 and 1073741824, not 63"),
        ("max_memory_mb = false", "golemd.toml:1: max_memory_mb: must be a whole number, not true or false"),
        ("worktree_root = 'x'", 'golemd.toml:1: worktree_root: must be an absolute path, or empty, not "x"'),
        ("[limits]\nnesting = 1", "golemd.toml:2: limits.nesting: must be between 8 and 128, not 1"),
        ("[limits]\nmsg = 1", "golemd.toml:2: limits.msg: unknown key"),
        ("[environment.set]\nA = 424242", "golemd.toml:2: environment.set.A: must be a text, not a whole number"),
        ("[environment]\npass = ['A B']", "golemd.toml:2: environment.pass[0]: must be a variable's name"),
        ("a = ", "golemd.toml:1: is not valid TOML: "),
        ("min_free_gb = -1", "golemd.toml:1: min_free_gb: must be between 0.0 and 1000000.0, not -1"),
        ("min_free_memory_mb = 1.5", "golemd.toml:1: min_free_memory_mb: must be a whole number, not a number"),
        ("logs_days = -7", "golemd.toml:1: logs_days: must be between 0 and 1000000, not -7"),
        ("[notify]\ncommand = ['']", "golemd.toml:2: notify.command[0]: must not be empty"),
    ],
)
def test_what_is_wrong_is_told_with_line_key_and_way_out(text: str, problem: str) -> None:
    problems = bad(text)
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_all_problems_are_told_at_once() -> None:
    assert len(bad("max_agents = 0\nlogs_days = -1\n[limits]\ntokens = 0\n")) == 3


@pytest.mark.parametrize("line", ["tokens = 10", "token_days = 1"])
def test_a_limit_that_cannot_be_chosen_yet_is_refused_rather_than_ignored(line: str) -> None:
    (problem,) = bad(f"[limits]\n{line}\n")
    assert "is not available in this release" in str(problem)
