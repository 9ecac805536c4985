"""The preflight: what would keep a project from being worked on. Each check is a row; none changes anything.

`check` asks everything and is what `golemctl check` shows, also of a repository that is not registered yet. Before a
dispatch the same checks are made, but for those that take time: what stops every item refuses it, the other errors
are told with the answer, since work on some items is possible.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from golemd.api import calls
from golemd.api.checks import CheckFinding, CheckView
from golemd.api.faults import Conflict, Fault, NotFound
from golemd.api.model import Project
from golemd.core.admission import shortage
from golemd.core.preflight import item_findings, ordered
from golemd.engine.context import Context
from golemd.engine.preflight import agents, configured, repository
from golemd.engine.preflight.subject import Subject, of_fault
from golemd.engine.room import room_now


async def check(engine: Context, call: calls.ProjectCheck) -> CheckView:
    """Everything that can be told before work begins."""
    subject = _subject(engine, call.project)
    subject.path = await engine.search_path.known()
    findings = ordered(await _found(engine, subject, (*QUICK, *PROGRAMS, *ASKING)))
    levels = [finding.level for finding in findings]
    return CheckView(
        project=subject.project.name if subject.project is not None else None,
        root=str(subject.root),
        errors=levels.count("error"),
        warnings=levels.count("warning"),
        findings=findings,
    )


async def before_run(engine: Context, project: Project) -> tuple[str, ...]:
    """Errors that concern some items, as sentences. Raises Conflict `preflight_failed` for those that concern all."""
    subject, checks = Subject(Path(project.root), project), QUICK
    if engine.search_path.is_known:  # a run that is started does not wait for the login shell, its first agent does
        subject.path, checks = await engine.search_path.known(), (*QUICK, *PROGRAMS)
    found = [finding for finding in await _found(engine, subject, checks) if finding.level == "error"]
    stopping = [finding for finding in found if finding.stops_all]
    if stopping:
        message = f"No item of {project.name} could be worked on: {'; '.join(_sentence(each) for each in stopping)}."
        raise Conflict("preflight_failed", message, stopping[0].hint or "golemctl check shows everything.")
    return tuple(f"{_sentence(each)}. {each.hint or ''}".rstrip() for each in found)


async def _found(engine: Context, subject: Subject, checks: Iterable[Check]) -> list[CheckFinding]:
    """What the checks find. One that cannot be made says nothing about the work, so it is a warning."""
    found: list[CheckFinding] = []
    for each in checks:
        try:
            found += await each(engine, subject)
        except Fault as fault:
            found.append(of_fault(str(subject.root), fault, level="warning"))
    return found


def _sentence(finding: CheckFinding) -> str:
    return f"{finding.where}: {finding.what}"


def _subject(engine: Context, named: str) -> Subject:
    """The project that is meant, or the folder, where no project is registered around it."""
    try:
        project = engine.state.project(named)
    except NotFound:
        if not named.startswith("/"):
            raise
        return Subject(Path(named), None)
    return Subject(Path(project.root), project)


async def _items(engine: Context, subject: Subject) -> list[CheckFinding]:
    """No item waits for what never comes."""
    return list(item_findings(engine.state, subject.project.name)) if subject.project is not None else []


async def _notifier(engine: Context, subject: Subject) -> list[CheckFinding]:
    """The program that tells people is there."""
    problem = engine.parts.notifier.problem(subject.path) if engine.parts.notifier is not None else ""
    what = f"[notify] command: {problem}, so nobody is told when something waits"
    return [CheckFinding(level="warning", where="golemd.toml", what=what)] if problem else []


async def _machine(engine: Context, subject: Subject) -> list[CheckFinding]:
    """There is room for another agent."""
    short = shortage(room_now(engine), engine.limits)
    hint = "Make room, or see min_free_gb and min_free_memory_mb in golemd.toml."
    what = f"no agent is started: {short}"
    return [CheckFinding(level="warning", where="this machine", what=what, hint=hint)] if short else []


Check = Callable[[Context, Subject], Awaitable[list[CheckFinding]]]
QUICK: Final[tuple[Check, ...]] = (
    repository.usable,
    repository.free,
    configured.configuration,
    repository.branches,
    configured.files,
    _items,
)
"""In this order: each may rely on what those before it have found of the subject."""
PROGRAMS: Final[tuple[Check, ...]] = (configured.commands, agents.installed)
"""Those that must know where programs are found."""
ASKING: Final[tuple[Check, ...]] = (repository.tree, agents.usable, _notifier, _machine)
"""Those that ask programs, or tell what passes by itself."""
