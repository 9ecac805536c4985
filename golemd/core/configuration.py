"""`golem.toml` → ProjectConfig, or everything that is wrong with it.

Rules. What one key accepts is in `core.golem_toml`; here is what depends on more than one, each a row of CHECKS, and
the way from the sections to the configuration that is pinned. A file with a problem gives no configuration at all.
Secrets stay out of it: values of `env` are in `Reading.environment`, for the spawn alone, and never recorded.
A `phase-golem.toml` is read by the same tables, with the defaults of the program that it was written for.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from golemd.api import config as api
from golemd.core.golem_toml import FILE, AgentSection, Phases, Sections
from golemd.core.keys import Place, Problem, closest, ordered
from golemd.core.toml import SyntaxProblem, parse

RESERVED_PHASES: Final = frozenset({api.TRIAGE})
"""Triage belongs to the run, so it has its place among the ids of phases."""

DEFAULT_PIPELINE: Final = api.Pipeline(
    "feature",
    pre_phases=(api.Phase("research"),),
    phases=(
        api.Phase("prd"),
        api.Phase("tech-research"),
        api.Phase("design"),
        api.Phase("spec"),
        api.Phase("build", is_destructive=True),
        api.Phase("review"),
    ),
)
"""What a project without pipelines has."""

_USELESS: Final[dict[str, tuple[str, ...]]] = {
    "command": ("model", "permissions", "args"),
    "scripted": ("command", "model", "permissions", "args"),
}
_UNNAMED: Final = AgentSection()


class Reading(Struct, frozen=True):
    """What became of a file: `config` is None exactly when there are problems.

    `environment` has the values of `env`, by agent and variable; they are secret and its repr does not show them.
    `remarks`: what its user should hear once, when the project is registered.
    """

    config: api.ProjectConfig | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    environment: dict[str, dict[str, str]] = {}
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Reading(config={self.config!r}, problems={self.problems!r}, warnings={self.warnings!r})"


def read_project(
    text: str,
    file: str,
    *,
    dialect: Literal["golem", "phase-golem"] = "golem",
    folder_name: str,
    salt: bytes = b"",
) -> Reading:
    """Read a project's file. `file` is how messages call it, `folder_name` is its name where it gives none.

    `salt` is the daemon's own; without it the digests of environment values are left empty.
    """
    document = parse(text)
    if isinstance(document, SyntaxProblem):
        return Reading(None, (Problem(file, document.line, "", document.message),))
    place = Place(file, document, {}, lenient=dialect == "phase-golem")
    sections: Sections = FILE(place, document.data)
    if not sections.pipelines:
        given = Phases(DEFAULT_PIPELINE.pre_phases, DEFAULT_PIPELINE.phases)
        sections = replace(sections, pipelines={DEFAULT_PIPELINE.name: given})
    if place.lenient:
        sections = _as_phase_golem_meant(place, sections)
    for check in CHECKS:
        check(place, sections)
    found = ordered(place.found.values())
    problems = tuple(problem for problem in found if problem.level == "error")
    warnings = tuple(problem for problem in found if problem.level == "warning")
    if problems:
        return Reading(None, problems, warnings)
    environment = {name: agent.env for name, agent in sections.agents.items() if agent.env}
    config = _config(place, sections, folder_name, salt)
    return Reading(config, (), warnings, environment, _remarks(place, config))


# --- what phase-golem's files mean -------------------------------------------------------------------------------


def _as_phase_golem_meant(place: Place, sections: Sections) -> Sections:
    """Work is done in the repository itself, and agents may do anything, unless the file says otherwise."""
    execution = sections.execution
    if not place.at("execution", "workspace").is_written:
        execution = replace(execution, workspace="shared")
    agents = {
        name: agent if place.at("agents", name, "permissions").is_written else _unleashed(name, agent)
        for name, agent in sections.agents.items()
    }
    return replace(sections, execution=execution, agents=agents)


def _unleashed(name: str, agent: AgentSection) -> AgentSection:
    """The agent with all permissions, if its kind knows any."""
    return agent if "permissions" in _USELESS.get(_kind(name, agent), ()) else replace(agent, permissions="full")


def _remarks(place: Place, config: api.ProjectConfig) -> tuple[str, ...]:
    written = {name for name in config.agents if place.at("agents", name, "permissions").is_written}
    free = [name for name, agent in config.agents.items() if agent.permissions == "full" and name not in written]
    if not free:
        return ()
    less = f'for less, write permissions = "edit" under [agents.{free[0]}]'
    return (f'As under phase-golem, {" and ".join(free)} may do anything (permissions = "full"); {less}.',)


# --- what depends on more than one key ---------------------------------------------------------------------------


def _check_kinds(place: Place, sections: Sections) -> None:
    """Every agent is of a kind, has what that kind needs, and nothing that the kind does not use."""
    for name, agent in sections.agents.items():
        here = place.at("agents", name)
        kind = _kind(name, agent)
        if not kind:
            here.at("kind").refuse("is required", allowed=api.KINDS)
        if kind == "command" and not agent.command:
            here.at("command").refuse("is required for an agent of kind command")
        for key in _USELESS.get(kind, ()):
            if getattr(agent, key) != getattr(_UNNAMED, key):
                here.at(key).refuse(f"has no effect on an agent of kind {kind}; remove it")


def _check_general_agent(place: Place, sections: Sections) -> None:
    """The agent of what names none can be used, if there is such a phase, or triage, or the file names it."""
    here, name = _general_agent(place, sections)
    needs = [phase.agent is None and owner.at("agent").is_clean for owner, phase in _phases(place, sections)]
    triages = sections.triage.enabled and sections.triage.agent is None
    if here.is_written or triages or any(needs):
        _check_use(here, sections, name)
    cli = place.at("agent", "cli")
    if cli.is_written and sections.agent.cli != name:
        cli.refuse(f"differs from execution.agent, which is {name}; remove one of them")


def _check_general_model(place: Place, sections: Sections) -> None:
    """The model in phase-golem's `[agent]` is that of the general agent, which takes one and names no other."""
    here, model = place.at("agent", "model"), sections.agent.model
    _, name = _general_agent(place, sections)
    agent = sections.agents.get(name, _UNNAMED)
    if model is None:
        return
    if name != sections.agent.cli:
        here.refuse(f"is for {sections.agent.cli}, and execution.agent is {name}; remove it")
    elif "model" in _USELESS.get(_kind(name, agent), ()):
        here.refuse(f"has no effect on an agent of kind {_kind(name, agent)}; remove it")
    elif agent.model not in (None, model):
        here.refuse(f"differs from agents.{name}.model, which is {agent.model}; remove one of them")


def _check_workspace(place: Place, sections: Sections) -> None:
    """A phase that blocks on staleness shares no tree with another item's work."""
    if sections.execution.workspace == "shared" and sections.execution.max_wip > 1:
        for owner, phase in _phases(place, sections):
            if phase.staleness == "block":
                message = "block needs max_wip = 1 in a shared workspace"
                owner.at("staleness").refuse(message, allowed=("ignore", "warn"))


def _check_phase_agents(place: Place, sections: Sections) -> None:
    """Agents that phases name can be used, and those of phases that name a model take one."""
    for here, phase in _phases(place, sections):
        if phase.agent is not None:
            _check_use(here.at("agent"), sections, phase.agent)
        name = phase.agent or _general_agent(place, sections)[1]
        kind = _kind(name, sections.agents.get(name, _UNNAMED))
        if phase.model is not None and "model" in _USELESS.get(kind, ()):
            here.at("model").refuse(f"has no effect on an agent of kind {kind}; remove it")


def _check_triage(place: Place, sections: Sections) -> None:
    """The agent of triage can be used."""
    if sections.triage.agent is not None:
        _check_use(place.at("triage", "agent"), sections, sections.triage.agent)


def _check_pipelines(place: Place, sections: Sections) -> None:
    """Every pipeline has phases, and those before promotion destroy nothing."""
    for name, pipeline in sections.pipelines.items():
        here = place.at("pipelines", name)
        if not pipeline.phases:
            here.at("phases").refuse("needs at least one phase")
        for index, phase in enumerate(pipeline.pre_phases):
            if phase.is_destructive:
                here.at("pre_phases", index, "is_destructive").refuse("must be false for a pre-phase")


def _check_phase_names(place: Place, sections: Sections) -> None:
    """Names of phases are unique within a pipeline, pre-phases included."""
    first: dict[tuple[str | int, str], Place] = {}
    for here, phase in _phases(place, sections):
        name = here.at("name")
        if phase.name in RESERVED_PHASES:
            name.refuse(f"{phase.name} is a name that golemd needs itself")
        earlier = first.setdefault((here.path[1], phase.name), name)
        if earlier is not name:
            line = earlier.document.locate(earlier.path)
            name.refuse(f"there is a phase {phase.name} already, on line {line}")


def _check_default_pipeline(place: Place, sections: Sections) -> None:
    """The pipeline of items that name none exists; where phase-golem did not ask for it, the file's first one is it."""
    here, name = place.at("project", "default_pipeline"), _default_pipeline(place, sections)
    if name != sections.project.default_pipeline and len(sections.pipelines) > 1:
        here.refuse(f"is {name} where nothing is said, since there is no pipeline feature", level="warning")
    if name not in sections.pipelines:
        known = sorted(sections.pipelines)
        here.refuse(f"there is no pipeline {name}", allowed=known, suggestion=closest(name, known))


Check = Callable[[Place, Sections], None]
CHECKS: Final[tuple[Check, ...]] = (
    _check_kinds,
    _check_general_agent,
    _check_general_model,
    _check_workspace,
    _check_phase_agents,
    _check_triage,
    _check_pipelines,
    _check_phase_names,
    _check_default_pipeline,
)


def _check_use(here: Place, sections: Sections, name: str) -> None:
    """Report at `here` that an agent is unknown, or of a kind that cannot be started."""
    if name not in api.KINDS and name not in sections.agents:
        _refuse_unknown_agent(here, sections, name)
        return
    kind = _kind(name, sections.agents.get(name, _UNNAMED))
    if kind == "command" and name not in sections.agents:
        here.refuse(f"agent {name} needs a section [agents.{name}] with its command")
    elif kind and kind not in api.AVAILABLE_KINDS:
        way_out = f"use one of kind {' or '.join(api.AVAILABLE_KINDS)}"
        message = f"agent {name} is of kind {kind}, which is not available in this release; {way_out}"
        here.refuse(message, allowed=_usable(sections))


def _refuse_unknown_agent(here: Place, sections: Sections, name: str) -> None:
    known = sorted({*api.KINDS, *sections.agents})
    here.refuse(f"there is no agent {name}", allowed=_usable(sections), suggestion=closest(name, known))


def _usable(sections: Sections) -> list[str]:
    """The agents that this release can start."""
    declared = {name for name, agent in sections.agents.items() if _kind(name, agent) in api.AVAILABLE_KINDS}
    return sorted(declared | ({"scripted"} - sections.agents.keys()))


def _kind(name: str, agent: AgentSection) -> str:
    return agent.kind or (name if name in api.KINDS else "")


def _phases(place: Place, sections: Sections) -> Iterator[tuple[Place, api.Phase]]:
    """All phases of all pipelines, with their places."""
    for name, pipeline in sections.pipelines.items():
        for pool in ("pre_phases", "phases"):
            for index, phase in enumerate(getattr(pipeline, pool)):
                yield place.at("pipelines", name, pool, index), phase


def _general_agent(place: Place, sections: Sections) -> tuple[Place, str]:
    """Where the agent of phases that name none is said, and which it is; phase-golem says it in `[agent] cli`."""
    here, cli = place.at("execution", "agent"), place.at("agent", "cli")
    if cli.is_written and not here.is_written:
        return cli, sections.agent.cli
    return here, sections.execution.agent


def _default_pipeline(place: Place, sections: Sections) -> str:
    """The one that the file names; else the only one there is; else `feature`."""
    chosen = sections.project.default_pipeline
    if place.at("project", "default_pipeline").is_written:
        return chosen
    first = len(sections.pipelines) == 1 or (place.lenient and chosen not in sections.pipelines)
    return next(iter(sections.pipelines)) if first else chosen


# --- the configuration that is pinned ----------------------------------------------------------------------------


def _config(place: Place, sections: Sections, folder_name: str, salt: bytes) -> api.ProjectConfig:
    _, general = _general_agent(place, sections)
    used = {phase.agent or general for _, phase in _phases(place, sections)}
    used |= {sections.triage.agent or general} if sections.triage.enabled else set()
    plain = dict.fromkeys(sorted(used - sections.agents.keys()), _UNNAMED)
    agents = sections.agents | {
        name: _unleashed(name, agent) if place.lenient else agent for name, agent in plain.items()
    }
    if sections.agent.model is not None and general in agents:
        agents[general] = replace(agents[general], model=sections.agent.model)
    project = sections.project
    return api.ProjectConfig(
        name=project.name or folder_as_name(folder_name),
        prefix=project.prefix,
        default_pipeline=_default_pipeline(place, sections),
        base_branch=project.base_branch or "",
        branch_prefix=project.branch_prefix,
        worklog=project.worklog,
        guardrails=sections.guardrails,
        execution=replace(sections.execution, agent=general),
        workspace=sections.workspace,
        budget=sections.budget,
        triage=sections.triage,
        agents={name: _agent(name, agent, salt) for name, agent in agents.items()},
        roles=sections.roles,
        pipelines={
            name: api.Pipeline(name, pipeline.pre_phases, pipeline.phases)
            for name, pipeline in sections.pipelines.items()
        },
    )


def _agent(name: str, agent: AgentSection, salt: bytes) -> api.Agent:
    return api.Agent(
        kind=_kind(name, agent),
        command=agent.command,
        model=agent.model,
        permissions=agent.permissions,
        env_digests={key: env_digest(salt, key, value) for key, value in agent.env.items()},
        pass_env=agent.pass_env,
        args=agent.args,
    )


def folder_as_name(folder: str) -> str:
    """A project's name made of its folder's: what a name may not hold becomes a hyphen."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", folder)
    return re.sub(r"^[^A-Za-z]+", "", plain)[:64].rstrip("-") or "project"


def env_digest(salt: bytes, name: str, value: str) -> str:
    """Tells whether a variable's value is still the same, and nothing of it; empty without a salt."""
    return hmac.digest(salt, f"{name}={value}".encode(), "sha256").hex() if salt else ""


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - anything that msgspec can encode
    """The one encoding of a value: sorted keys, no spaces, UTF-8."""
    return msgspec.json.encode(value, order="sorted")


def digest(value: Any) -> str:  # noqa: ANN401 - anything that msgspec can encode
    """SHA-256 over canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
