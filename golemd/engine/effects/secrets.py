"""The values that were passed to an attempt: its program gets them, and nothing that is shown of it may hold them.

They are read anew whenever they are needed, and kept nowhere.
"""

from __future__ import annotations

from pathlib import Path

from golemd.adapters.agents.environment import secrets
from golemd.api.faults import Fault
from golemd.api.model import Attempt, AttemptKind, Run
from golemd.engine.context import Context
from golemd.engine.effects.places import agent_of
from golemd.engine.programs import Unusable
from golemd.engine.project_files import agent_values, read_config

Passed = tuple[tuple[str, ...], dict[str, str]]
"""Names, and patterns of names, passed on from the daemon's environment; and values that are set."""


def passed_on(engine: Context, run: Run, attempt: Attempt) -> Passed:
    """What this attempt gets. Raises Unusable."""
    general = engine.parts.settings.environment
    if attempt.kind is not AttemptKind.AGENT:
        return general.pass_env, general.variables
    agent = agent_of(engine, run, attempt)
    own = agent_values(engine, run, attempt.agent) if agent.env_digests else {}
    return (*general.pass_env, *agent.pass_env), {**general.variables, **own}


def hidden(engine: Context, attempt: Attempt) -> list[str]:
    """The values that were passed to an attempt, as far as they are still known, longest first."""
    run = engine.state.runs.get(attempt.run)
    passed, values = _passed_to_one_of_old(engine, attempt) if run is None else _passed_to(engine, run, attempt)
    return secrets(engine.parts.environ, passed, values)


def _passed_to(engine: Context, run: Run, attempt: Attempt) -> Passed:
    try:
        return passed_on(engine, run, attempt)
    except Unusable:  # golem.toml has been broken since, so its agent's own values are not known any more
        general, own = engine.parts.settings.environment, agent_of(engine, run, attempt)
        return (*general.pass_env, *own.pass_env), general.variables


def _passed_to_one_of_old(engine: Context, attempt: Attempt) -> Passed:
    """What its agent gets today: of an ended item it is not known any more what its run was pinned to."""
    general = engine.parts.settings.environment
    project = engine.state.projects.get(engine.state.known(attempt.item).project)
    if attempt.kind is not AttemptKind.AGENT or project is None:
        return general.pass_env, general.variables
    try:
        reading = read_config(engine, Path(project.root))
    except Fault:
        return general.pass_env, general.variables
    agent = reading.config.agents.get(attempt.agent) if reading.config is not None else None
    passed = () if agent is None else agent.pass_env
    return (*general.pass_env, *passed), {**general.variables, **reading.environment.get(attempt.agent, {})}
