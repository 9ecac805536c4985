"""Whether the configuration is good, and what it names is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from golemd.adapters import agents
from golemd.api.checks import CheckFinding
from golemd.api.config import ProjectConfig
from golemd.api.faults import Fault
from golemd.core.configuration import digest
from golemd.core.decide.projects import free_prefix
from golemd.core.golem_toml import ProjectSection
from golemd.core.keys import Problem
from golemd.core.preflight import first_program
from golemd.core.toml import Document, parse
from golemd.engine import programs
from golemd.engine.context import Context
from golemd.engine.preflight.subject import Subject, of_fault
from golemd.engine.project_files import CONFIG_FILE, find_config, gone


async def configuration(engine: Context, subject: Subject) -> list[CheckFinding]:
    """Its file is there, good, and in force."""
    try:
        subject.file = find_config(engine, subject.root)
    except Fault as fault:
        return [of_fault(str(subject.root), fault, stops_all=True)]
    registered = subject.project is not None
    if subject.file is None:
        if subject.project is not None and subject.project.name in gone(engine):
            return []  # which `usable` tells of
        level, hint = "error" if registered else "info", "golemctl init writes a commented one."
        what = f"there is no {CONFIG_FILE}"
        missing = CheckFinding(level=level, where=str(subject.root), what=what, hint=hint, stops_all=registered)
        return [missing, *_prefix(engine, subject, ProjectSection().prefix)]
    document = parse(subject.file.text)
    subject.document = document if isinstance(document, Document) else None
    reading = subject.file.reading
    found = [_of_problem(problem, "error") for problem in reading.problems]
    found += [_of_problem(problem, "warning") for problem in reading.warnings]
    found += [CheckFinding(level="info", where=subject.file.file.name, what=remark) for remark in reading.remarks]
    if subject.project is None:
        what = "the repository is not registered yet"
        found.append(CheckFinding(level="info", where=str(subject.root), what=what, hint="golemctl init"))
        found += _prefix(engine, subject, reading.config.prefix if reading.config is not None else "")
    elif reading.config is not None and digest(reading.config) != subject.project.config_digest:
        what = "it has changed and is not in force yet; the next golemctl run or reload brings it into force"
        found.append(CheckFinding(level="info", where=subject.file.file.name, what=what))
    return found


def _prefix(engine: Context, subject: Subject, prefix: str) -> Iterator[CheckFinding]:
    """Whether the prefix that a repository would be registered with is still free."""
    taken = {project.prefix: project.name for project in engine.state.projects.values()}
    if subject.project is None and prefix in taken:
        what = f"the prefix {prefix} belongs to the project {taken[prefix]}"
        hint = f"golemctl init --prefix {free_prefix(engine.state, prefix)}"
        yield CheckFinding(level="warning", where=str(subject.root), what=what, hint=hint)


def _of_problem(problem: Problem, level: str) -> CheckFinding:
    key = f"{problem.key}: " if problem.key else ""
    what = f"{key}{problem.message}" + (f"; did you mean {problem.suggestion}?" if problem.suggestion else "")
    hint = f"Allowed: {', '.join(problem.allowed)}" if problem.allowed else None
    where = f"{os.path.basename(problem.file)}:{problem.line}"
    return CheckFinding(level=level, where=where, what=what, hint=hint, stops_all=level == "error")


async def files(engine: Context, subject: Subject) -> list[CheckFinding]:
    """The files that the configuration names exist."""
    named = list(_named_files(subject.config)) if subject.config is not None else []
    found = []
    for key, name in named:
        if wrong := await engine.parts.in_thread(_problem_of, subject.root, name):
            what, hint = f"{name} {wrong}", "Write it, or take it out."
            found.append(CheckFinding(level="error", where=subject.at(*key), what=what, hint=hint))
    return found


def _problem_of(root: Path, name: str) -> str:
    """What is wrong with a file that is named; empty when it is one."""
    file = root / Path(name).expanduser()
    if file.is_file():
        return ""
    return "is not a file" if file.exists() else "does not exist"


def _named_files(config: ProjectConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Files of instructions, and to be copied, with the keys that name them."""
    for number, name in enumerate(config.workspace.copy):
        yield ("workspace", "copy", number), name
    for pipeline in config.pipelines.values():
        for pool in ("pre_phases", "phases"):
            for index, phase in enumerate(getattr(pipeline, pool)):
                for number, workflow in enumerate(phase.workflows):
                    yield ("pipelines", pipeline.name, pool, index, "workflows", number), workflow
    for name, role in config.roles.items():
        if role.instructions_file:
            yield ("roles", name, "instructions_file"), role.instructions_file


async def commands(engine: Context, subject: Subject) -> list[CheckFinding]:
    """The programs that verify and setup commands begin with are there."""
    if subject.config is None:
        return []
    environ = subject.environment(engine)
    found = []
    for key, command in _named_commands(subject.config):
        program = first_program(command)
        if not program or _can_be_found(program, subject.root, environ):
            continue
        if "/" in program:
            what = f"{program} does not exist in {subject.root}; it must be there when `{command}` is run"
            found.append(CheckFinding(level="warning", where=subject.at(*key), what=what))
        else:
            hint = "Install it, or see [environment] path in golemd.toml."
            what = f"{program} is not on the PATH, so `{command}` would fail"
            found.append(CheckFinding(level="error", where=subject.at(*key), what=what, hint=hint))
    return found


def _named_commands(config: ProjectConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Commands of the shell, with the keys that name them."""
    for number, command in enumerate(config.workspace.setup):
        yield ("workspace", "setup", number), command
    for number, command in enumerate(config.execution.verify):
        yield ("execution", "verify", number), command
    for pipeline in config.pipelines.values():
        for pool in ("pre_phases", "phases"):
            for index, phase in enumerate(getattr(pipeline, pool)):
                for number, command in enumerate(phase.verify or ()):
                    yield ("pipelines", pipeline.name, pool, index, "verify", number), command


def _can_be_found(program: str, root: Path, environ: dict[str, str]) -> bool:
    try:
        programs.found(agents.located(program, str(root)), environ)
    except programs.Unusable:
        return False
    return True
