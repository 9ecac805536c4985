"""Whether the agents in use can be started: their programs, versions and logins."""

from __future__ import annotations

import trio

from golemd.adapters import agents
from golemd.api.checks import CheckFinding
from golemd.api.config import ProjectConfig
from golemd.engine import programs
from golemd.engine.context import Context
from golemd.engine.preflight.subject import Subject
from golemd.engine.programs import Unusable


def _used(config: ProjectConfig) -> list[str]:
    """The agents that phases or triage name."""
    general = config.execution.agent
    phases = (phase for pipeline in config.pipelines.values() for phase in pipeline.all_phases)
    named = {phase.agent or general for phase in phases}
    if config.triage.enabled:
        named.add(config.triage.agent or general)
    return sorted(named & config.agents.keys())


async def installed(engine: Context, subject: Subject) -> list[CheckFinding]:
    """The programs of the agents in use are there."""
    found = []
    for name in _used(subject.config) if subject.config is not None else []:
        try:
            _program(engine, subject, name)
        except Unusable as unusable:
            what, _, hint = str(unusable).partition(". ")
            found.append(
                CheckFinding(
                    level="error",
                    where=_where(subject, name),
                    what=what,
                    hint=hint,
                )
            )
    return found


async def usable(engine: Context, subject: Subject) -> list[CheckFinding]:
    """Those that are there are of a good version, and logged in as far as that can be told; asked all at once."""
    problems: dict[str, str] = {}

    async def ask(name: str) -> None:
        problems[name] = await _problem(engine, subject, name)

    names = _used(subject.config) if subject.config is not None else []
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(ask, name)
    return [
        CheckFinding(level="error", where=_where(subject, name), what=problems[name])
        for name in names
        if problems[name]
    ]


async def _problem(engine: Context, subject: Subject, name: str) -> str:
    """What an agent's program says that keeps it from working; empty when it is missing, which is told elsewhere."""
    assert subject.config is not None
    kind, environ = subject.config.agents[name].kind, subject.environment(engine, name)
    try:
        program = _program(engine, subject, name)
    except Unusable:
        return ""
    if not program:
        return ""
    try:
        await programs.require_version(engine, kind, program, environ)
    except Unusable as unusable:
        return str(unusable).rstrip(".")
    login = await programs.login_problem(kind, program, environ)
    return f"agent {name} {login}" if login else ""


def _program(engine: Context, subject: Subject, name: str) -> str:
    """The file of an agent's program; empty for one that golemd brings along. Raises Unusable."""
    assert subject.config is not None
    program = agents.program_of(subject.config.agents[name])
    if not program:
        return ""
    return programs.found(agents.located(program, str(subject.root)), subject.environment(engine, name))


def _where(subject: Subject, name: str) -> str:
    """Where an agent is configured, or chosen."""
    return subject.at("agents", name, instead=("execution", "agent"))
