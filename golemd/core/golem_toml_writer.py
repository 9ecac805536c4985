"""The golem.toml that init writes: a commented first one, or one that says what a phase-golem.toml says.

Rules. What is written is read back as the same configuration, and a test holds that over many files. Values that are
off or at their default are left out, save those that people look for first.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from golemd.api import config as api

_LOOKED_FOR: Final = frozenset(
    {"name", "prefix", "default_pipeline", "max_size", "max_complexity", "max_risk", "agent", "workspace", "kind"}
    | {"permissions", "phase_timeout_minutes", "max_retries", "default_phase_cap", "max_wip", "max_concurrent"}
)
_REMARKS: Final[Mapping[str, str]] = {
    "name": "unique among the projects of this daemon",
    "prefix": "of items' ids: with WRK they are WRK-1, WRK-2, …",
    "default_pipeline": "of items that name none",
    "max_size": "small | medium | large; what is assessed higher asks you first",
    "max_complexity": "low | medium | high",
    "max_risk": "low | medium | high",
    "workspace": "shared: in the repository itself | worktree: each item in a worktree of its own",
    "phase_timeout_minutes": "of one attempt",
    "max_retries": "attempts after the first one",
    "default_phase_cap": "phases that one `golemctl run` starts at most",
    "max_wip": "items under way at once",
    "max_concurrent": "agents running at once",
    "permissions": "read | edit | full; what is not allowed is denied, never asked",
    "is_destructive": "runs alone in its workspace",
    "staleness": "ignore | warn | block: what to do when the commit of an earlier phase is gone",
}
_PROJECT: Final = ("name", "prefix", "default_pipeline", "base_branch", "branch_prefix", "worklog")
_COLUMN: Final = 28
"""Where remarks begin."""


def equivalent(config: api.ProjectConfig, environment: Mapping[str, Mapping[str, str]], source: str) -> str:
    """The golem.toml that is read back as `config`, with the values of its agents' variables.

    `source` is the file that it was made from, as its user calls it.
    """
    parts = [
        f"# What {source} says, for golemd. After a change, `golemctl reload` brings it into force.",
        _table("[project]", config, usual=api.ProjectConfig(""), only=_PROJECT),
        _table("[guardrails]", config.guardrails),
        _table("[execution]", config.execution),
        _table("[workspace]", config.workspace),
        _table("[budget]", config.budget),
        _table("[triage]", config.triage),
        *(_agent(name, agent, environment.get(name, {})) for name, agent in config.agents.items()),
        *(_table(f"[roles.{name}]", role) or f"[roles.{name}]" for name, role in config.roles.items()),
        *(part for pipeline in config.pipelines.values() for part in _pipeline(pipeline)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def seen_from(folder: str, pipelines: Mapping[str, api.Pipeline]) -> dict[str, api.Pipeline]:
    """Pipelines whose workflows are named relative to `folder`, for a file that stands elsewhere.

    `folder` is relative to where the new file stands, or absolute; empty when it is the same.
    """

    def moved(phases: Iterable[api.Phase]) -> tuple[api.Phase, ...]:
        return tuple(
            replace(
                phase, workflows=tuple(posixpath.normpath(posixpath.join(folder, each)) for each in phase.workflows)
            )
            for phase in phases
        )

    if not folder:
        return dict(pipelines)
    return {
        name: replace(pipeline, pre_phases=moved(pipeline.pre_phases), phases=moved(pipeline.phases))
        for name, pipeline in pipelines.items()
    }


def _agent(name: str, agent: api.Agent, environment: Mapping[str, str]) -> str:
    useless = {"permissions"} if agent.kind in ("command", "scripted") else set()
    names = [field for field in api.Agent.__struct_fields__ if field != "env_digests" and field not in useless]
    table = _table(f"[agents.{name}]", agent, usual=api.Agent(), only=names)
    return f"{table}\nenv = {_value(dict(environment))}" if environment else table


def _pipeline(pipeline: api.Pipeline) -> Iterator[str]:
    for pool in ("pre_phases", "phases"):
        for phase in getattr(pipeline, pool):
            header = f"[[pipelines.{pipeline.name}.{pool}]]"
            yield _table(header, phase, usual=api.Phase(""))


def _table(header: str, values: Struct, usual: Struct | None = None, only: Iterable[str] = ()) -> str:
    """A table of what is not usual, and of what people look for; empty when nothing is left."""
    usual = usual if usual is not None else type(values)()
    names = list(only) or values.__struct_fields__
    given = {name: getattr(values, name) for name in names}
    lines = [
        _line(name, value)
        for name, value in given.items()
        if value is not None and (name in _LOOKED_FOR or value != getattr(usual, name))
    ]
    return "\n".join([header, *lines]) if lines else ""


def _line(name: str, value: Any) -> str:  # noqa: ANN401 - any value of a configuration
    line = f"{name} = {_value(value)}"
    return f"{line.ljust(_COLUMN)} # {_REMARKS[name]}" if name in _REMARKS else line


def _value(value: Any) -> str:  # noqa: ANN401 - any value of a configuration
    """A value as TOML writes it, on one line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _quoted(value)
        case tuple() | list():
            return "[" + ", ".join(map(_value, value)) + "]"
        case dict():
            pairs = (f"{_quoted(key)} = {_value(inner)}" for key, inner in value.items())
            return "{ " + ", ".join(pairs) + " }" if value else "{}"
        case Struct():
            return _value(msgspec.structs.asdict(value))
        case _:
            return str(value)


def _quoted(value: str) -> str:
    """A text of one line. JSON's escapes are TOML's, but for DEL, which TOML wants escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# --- the first one -----------------------------------------------------------------------------------------------


def template(name: str, prefix: str, base_branch: str) -> str:
    """The file that init writes. An empty base branch is left out: golemd takes the one checked out at init."""
    base = f"base_branch = {_quoted(base_branch)}" if base_branch else '# base_branch = "main"'
    values = {"NAME": f"name = {_quoted(name)}", "PREFIX": f"prefix = {_quoted(prefix)}", "BASE": base}
    return TEMPLATE.format_map({key: value.ljust(_COLUMN) for key, value in values.items()})


TEMPLATE: Final = """\
# How golemd works on this project. After a change, `golemctl reload` brings it into force.

[project]
{NAME} # unique among the projects of this daemon
{PREFIX} # of items' ids: with WRK they are WRK-1, WRK-2, …
{BASE} # new work begins at the tip of this branch

[execution]
agent = "claude"             # who works on phases that name no agent of their own
# verify = ["make test"]     # golemd runs these after each phase; a phase is completed only when all of them pass
max_wip = 1                  # items under way at once
max_concurrent = 1           # agents running at once
phase_timeout_minutes = 30
max_retries = 2

# [budget]                   # what may be spent, as far as agents say what they cost; 0 is no limit
# item_usd = 5.0             # on one item; when it is spent, you are asked
# day_usd = 50.0             # in this project on one day (UTC); what is left waits until the next

[triage]
enabled = false              # true: an agent assesses new items first, chooses their pipeline, and finds duplicates

[agents.claude]
kind = "claude"
permissions = "edit"         # read | edit | full; what is not allowed is denied, never asked
# model = "opus"
# args = ["--allowedTools", "Bash(make:*)"]

# An agent is any program. {{prompt_file}} becomes the path of its task; it writes its result, as JSON, to the file that
# the variable GOLEM_RESULT names.
# [agents.mine]
# kind = "command"
# command = ["./agent.sh", "{{prompt_file}}"]
# pass_env = ["MY_AGENT_*"]  # variables of the daemon's environment that it may see

# What an item goes through, from top to bottom. Without `verify`, a phase has that of [execution].
[[pipelines.feature.phases]]
name = "plan"
# workflows = ["docs/plan.md"]     # instructions for the agent, beside the item itself
# gate = "approval"                # a human approves before the next phase begins

[[pipelines.feature.phases]]
name = "build"
is_destructive = true

[[pipelines.feature.phases]]
name = "review"
"""
