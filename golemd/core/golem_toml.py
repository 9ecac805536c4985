"""The keys of `golem.toml`: what each accepts, and the shape of what was read.

Rules. One row a key, in the order of the documentation; defaults are those of the Structs. `later` marks a key whose
function this release does not have: it is read like any other, and refused unless it is off or at its default. `strict`
marks the tables whose unknown keys phase-golem refused too. What depends on more than one key is in
`core.configuration`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import UNSET, Struct

from golemd.api import config as api
from golemd.core.keys import (
    Keys,
    Place,
    flag,
    later,
    listing,
    mapping,
    number,
    one_of,
    optional,
    table,
    text,
    whole,
)

MANY: Final = 1_000_000
"""The highest count that any key accepts."""
MOST_TOKENS: Final = 10**15
"""The highest number of tokens that a budget accepts."""
LONGEST_MINUTES: Final = 525_600.0
"""The longest time limit: a year."""
SHORTEST_MINUTES: Final = 0.01
LONGEST_GRACE_SECONDS: Final = 3600.0

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
# Short enough for the ids made of it, WRK-1000000, to stay within 64 characters.
PREFIX_RULE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_MODEL: Final = re.compile(r"[A-Za-z0-9._/][A-Za-z0-9._/-]*")
# git-check-ref-format(1), and no beginning that git would take for an option.
_BRANCH: Final = re.compile(r"(?![-./])(?!.*(?:\.\.|//|/\.|@\{|\.lock(?:/|$)))[^\x00-\x20\x7f~^:?*\[\\]+(?<![./])")
_VARIABLE: Final = re.compile(r"(?!GOLEM_)[A-Za-z_][A-Za-z0-9_]*")
_VARIABLES: Final = re.compile(r"[A-Za-z0-9_*?]+")
_INSIDE: Final = re.compile(r"(?!/)(?!~)(?!(?:.*/)?\.\.(?:/|$)).+", re.DOTALL)

NAME: Final = text(rule=_NAME, meaning="a letter, then at most 63 letters, digits, underscores and hyphens")
COMMAND: Final = listing(text(may_be_empty=False), may_be_empty=False)
COMMANDS: Final = listing(text(may_be_empty=False))
INSIDE: Final = text(rule=_INSIDE, meaning="a relative path that stays inside")
MODEL: Final = optional(
    text(rule=_MODEL, meaning="letters, digits and the characters . _ / -, not beginning with a hyphen")
)
OPTIONAL_NAME: Final = optional(NAME)
PREFIX: Final = text(rule=PREFIX_RULE, meaning="at most 32 letters, digits, underscores and hyphens, no hyphen first")
BRANCH: Final = text(rule=_BRANCH, meaning="a name that git accepts for a branch")
ENVIRONMENT: Final = mapping(
    text(rule=_VARIABLE, meaning="a variable's name; those that begin with GOLEM_ are set by golemd"), text()
)
VARIABLES: Final = listing(text(rule=_VARIABLES, meaning="a variable's name, with * and ? as wildcards"))
COUNT: Final = whole(0, MANY)
AT_LEAST_ONE: Final = whole(1, MANY)
MINUTES: Final = number(SHORTEST_MINUTES, LONGEST_MINUTES)
DOLLARS: Final = number(0.0, MANY)
LEVEL: Final = one_of("low", "medium", "high")


class AgentSection(Struct, frozen=True):
    """An agent as it is written; `env` holds secrets."""

    kind: str = ""
    command: tuple[str, ...] = ()
    model: str | None = None
    permissions: str = "edit"
    env: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    args: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"AgentSection(kind={self.kind!r}, command={self.command!r}, env={sorted(self.env)!r})"


class DefaultAgent(Struct, frozen=True):
    """phase-golem's `[agent]`."""

    cli: str = "claude"
    model: str | None = None


class ProjectSection(Struct, frozen=True):
    """What the project is called; without a name, as its folder."""

    name: str | None = None
    prefix: str = "WRK"
    default_pipeline: str = "feature"
    base_branch: str | None = None
    branch_prefix: str = "golem"
    worklog: bool = False


class Phases(Struct, frozen=True):
    """A pipeline that does not know its name yet."""

    pre_phases: tuple[api.Phase, ...] = ()
    phases: tuple[api.Phase, ...] = ()


class Sections(Struct, frozen=True):
    """The whole file, each value good in itself."""

    project: ProjectSection = ProjectSection()
    agent: DefaultAgent = DefaultAgent()
    guardrails: api.Guardrails = api.Guardrails()
    execution: api.Execution = api.Execution()
    workspace: api.Workspace = api.Workspace()
    budget: api.Budget = api.Budget()
    triage: api.Triage = api.Triage()
    agents: dict[str, AgentSection] = {}
    roles: dict[str, api.Role] = {}
    pipelines: dict[str, Phases] = {}


def _gate(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
    """`"approval"`, or a list of named approvals, each of them once."""
    if isinstance(value, str):
        return ("approval",) if one_of("approval")(place, value) else UNSET
    names = listing(NAME)(place, value)
    if names and len(set(names)) < len(names):
        return place.refuse("names an approval twice")
    return names


PROJECT: Final[Keys] = {
    "name": NAME,
    "prefix": PREFIX,
    "default_pipeline": NAME,
    "base_branch": optional(BRANCH),
    "branch_prefix": BRANCH,
    "worklog": flag,
}
DEFAULT_AGENT: Final[Keys] = {
    "cli": one_of("claude", "opencode"),
    "model": MODEL,
}
GUARDRAILS: Final[Keys] = {
    "max_size": one_of("small", "medium", "large"),
    "max_complexity": LEVEL,
    "max_risk": LEVEL,
}
EXECUTION: Final[Keys] = {
    "agent": NAME,
    "workspace": one_of("worktree", "shared"),
    "merge": later(one_of("none", "ff", "merge", "squash"), "none"),
    "circuit_breaker": COUNT,
    "max_fix_attempts": COUNT,
    "max_rounds": AT_LEAST_ONE,
    "max_follow_ups": COUNT,
    "max_follow_up_depth": COUNT,
    "grace_seconds": number(0.0, LONGEST_GRACE_SECONDS),
    "verify": COMMANDS,
    "verify_after_merge": later(flag, True, False),
    "hooks": later(flag, False),
    "sign": later(flag, False),
    "phase_timeout_minutes": MINUTES,
    "max_retries": COUNT,
    "default_phase_cap": AT_LEAST_ONE,
    "max_wip": AT_LEAST_ONE,
    "max_concurrent": AT_LEAST_ONE,
}
WORKSPACE: Final[Keys] = {
    "setup": COMMANDS,
    "copy": listing(INSIDE),
}
BUDGET: Final[Keys] = {
    "item_usd": DOLLARS,
    "day_usd": DOLLARS,
    "item_tokens": whole(0, MOST_TOKENS),
}
TRIAGE: Final[Keys] = {
    "enabled": flag,
    "agent": OPTIONAL_NAME,
    "merge_duplicates": flag,
}
AGENT: Final[Keys] = {
    "kind": one_of(*api.KINDS),
    "command": COMMAND,
    "model": MODEL,
    "permissions": one_of("read", "edit", "full"),
    "env": ENVIRONMENT,
    "pass_env": VARIABLES,
    "args": listing(text()),
}
ROLE: Final[Keys] = {
    "agent": OPTIONAL_NAME,
    "model": MODEL,
    "system_prompt": text(),
    "instructions_file": text(),
}
ARTIFACT: Final[Keys] = {
    "path": INSIDE,
    "schema": text(may_be_empty=False),
}
PHASE: Final[Keys] = {
    "name": NAME,
    "workflows": listing(text(may_be_empty=False)),
    "is_destructive": flag,
    "staleness": one_of("ignore", "warn", "block"),
    "role": later(OPTIONAL_NAME, None),
    "agent": OPTIONAL_NAME,
    "model": MODEL,
    "gate": _gate,
    "verify": COMMANDS,
    "graph": later(optional(text()), None),
    "timeout_minutes": MINUTES,
    "max_retries": COUNT,
    "budget_usd": DOLLARS,
    "artifacts": later(listing(table(api.Artifact, ARTIFACT, required=frozenset({"path", "schema"}))), ()),
    "vars": later(mapping(NAME, text()), {}),
}
PHASES: Final = listing(
    table(api.Phase, PHASE, required=frozenset({"name"}), strict=True, old_names={"destructive": "is_destructive"})
)
PIPELINE: Final[Keys] = {"pre_phases": PHASES, "phases": PHASES}

FILE: Final = table(
    Sections,
    {
        "project": table(ProjectSection, PROJECT),
        "agent": table(DefaultAgent, DEFAULT_AGENT, strict=True),
        "guardrails": table(api.Guardrails, GUARDRAILS),
        "execution": table(api.Execution, EXECUTION),
        "workspace": table(api.Workspace, WORKSPACE),
        "budget": table(api.Budget, BUDGET),
        "triage": table(api.Triage, TRIAGE),
        "agents": mapping(NAME, table(AgentSection, AGENT)),
        "roles": later(mapping(NAME, table(api.Role, ROLE)), {}),
        "pipelines": mapping(NAME, table(Phases, PIPELINE)),
    },
)
"""The whole file."""
