"""What exactly an attempt runs: program, environment, folder and limits. Secrets are read at this moment."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from golemd.adapters import agents
from golemd.adapters.agents.environment import child_environment
from golemd.adapters.processes.runner import AttemptSpec
from golemd.adapters.workspace import Workspace
from golemd.api.config import Agent
from golemd.api.model import Attempt, AttemptKind, Item, Run
from golemd.core import budgets, prompt
from golemd.core.decide.common import definition_of
from golemd.core.decide.triage import is_triage
from golemd.engine.context import Context
from golemd.engine.effects.places import agent_of, attempt_folder, changes_of, config_of, place_of
from golemd.engine.effects.secrets import passed_on
from golemd.engine.programs import found


class Job(Struct, frozen=True):
    """What to run, and the session of the agent's program that it begins or goes on with."""

    spec: AttemptSpec
    session: str = ""


def job_of(engine: Context, attempt: Attempt, path: str) -> Job:
    """What exactly to run; `path` is where programs are found. Raises Unusable when there is none of that name."""
    state, settings = engine.state, engine.parts.settings
    run, item = state.runs[attempt.run], state.items[attempt.item]
    config = config_of(engine, run)
    place = place_of(engine, run)
    folder = attempt_folder(engine, attempt.id)
    engine.parts.files.make_folder(folder)
    environ = _environment(engine, run, item, attempt, folder, path)
    launch, session = agents.Launch(("/bin/sh", "-c", attempt.command)), ""
    if attempt.kind is AttemptKind.AGENT:
        launch = _agent_launch(engine, run, item, attempt, place, folder)
        session = launch.session or run.phase.session
        environ = {**launch.env, **environ}
        launch = replace(launch, argv=(found(launch.argv[0], environ), *launch.argv[1:]))
    definition = definition_of(run, run.phase)
    minutes = definition.timeout_minutes or config.execution.phase_timeout_minutes
    spec = AttemptSpec(
        attempt=attempt.id,
        argv=launch.argv,
        cwd=str(place.path),
        env=environ,
        stdin=_stdin_file(engine, folder, launch.stdin),
        wall_seconds=minutes * 60,
        idle_seconds=settings.idle_timeout_minutes * 60,
        output_bytes=settings.max_output_mb << 20,
        memory_bytes=settings.max_memory_mb << 20,
        grace_seconds=config.execution.grace_seconds,
    )
    return Job(spec, session)


def _stdin_file(engine: Context, folder: Path, text: str | None) -> str | None:
    if text is None:
        return None
    engine.parts.files.write_private(folder / "stdin", text)
    return str(folder / "stdin")


def _agent_launch(
    engine: Context, run: Run, item: Item, attempt: Attempt, place: Workspace, folder: Path
) -> agents.Launch:
    prompt_file = folder / "prompt.md"
    text = prompt.prompt_for(engine.state, run, attempt.number, changes_of(engine, run))
    engine.parts.files.write_private(prompt_file, text)
    request = agents.Request(
        agent=_permitted(run, agent_of(engine, run, attempt)),
        item=item.id,
        phase=attempt.phase,
        number=attempt.number,
        description=item.description,
        prompt_file=str(prompt_file),
        result_file=str(folder / "result.json"),
        workspace=str(place.path),
        project_root=str(place.root),
        model=definition_of(run, run.phase).model or "",
        resume=run.phase.session,
        budget_usd=budgets.left_usd(engine.state, item, engine.now_us()),
    )
    return agents.launch(request)


def _permitted(run: Run, agent: Agent) -> Agent:
    """The agent as it may act in this phase: triage looks and touches nothing."""
    return replace(agent, permissions="read") if is_triage(run) else agent


def _environment(engine: Context, run: Run, item: Item, attempt: Attempt, folder: Path, path: str) -> dict[str, str]:
    """The child's environment; values are read at this moment and recorded nowhere."""
    parts, place = engine.parts, place_of(engine, run)
    passed, values = passed_on(engine, run, attempt)
    golem = {
        "GOLEM_ITEM": item.id,
        "GOLEM_RUN": run.id,
        "GOLEM_PHASE": attempt.phase,
        "GOLEM_ATTEMPT": attempt.id,
        "GOLEM_PROMPT": str(folder / "prompt.md"),
        "GOLEM_RESULT": str(folder / "result.json"),
        "GOLEM_WORKSPACE": str(place.path),
        "GOLEM_PROJECT_ROOT": str(place.root),
        "GOLEM_CHANGES": str(place.path / changes_of(engine, run)),
        "GOLEM_SOCKET": str(parts.socket_path),
        "GOLEM_INSTANCE": parts.instance,
    }
    environ = child_environment(parts.environ, passed, values, path, golem)
    return environ | parts.workspaces.ignoring(place, environ)
