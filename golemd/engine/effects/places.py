"""Where a run's work is: folders, branches, and the configuration it is pinned to."""

from __future__ import annotations

from pathlib import Path

from golemd.adapters.workspace import Workspace
from golemd.api.config import Agent, ProjectConfig
from golemd.api.model import Attempt, Run
from golemd.core.changes import FOLDER, folder_of
from golemd.core.decide.triage import is_triage
from golemd.core.exclusion import is_shared
from golemd.engine.context import Context


def attempt_folder(engine: Context, attempt: str) -> Path:
    """Where an attempt's files are."""
    return engine.parts.state_dir / "attempts" / attempt


def worktree_root(engine: Context) -> Path:
    """The folder that holds every worktree."""
    configured = engine.parts.settings.worktree_root
    return Path(configured) if configured else engine.parts.state_dir / "worktrees"


def workspace_of(engine: Context, run: Run) -> Workspace:
    """The run's working tree."""
    root = engine.state.projects[run.project].root
    own = root if is_shared(engine.state, run) else str(worktree_root(engine) / run.project / run.item)
    path = run.workspace or own
    return Workspace(Path(engine.state.projects[run.project].root), Path(path))


def place_of(engine: Context, run: Run) -> Workspace:
    """Where the phase under way is worked on: triage reads the project's own folder."""
    place = workspace_of(engine, run)
    return Workspace(place.root, place.root) if is_triage(run) else place


def changes_of(engine: Context, run: Run) -> str:
    """The item's change folder where its phase under way is worked on: the one that is there, or the one to be made."""
    item = engine.state.items[run.item]
    names = engine.parts.files.folders_in(place_of(engine, run).path / FOLDER)
    return folder_of(item.id, item.title, names)


def branch_of(config: ProjectConfig, run: Run) -> str:
    """The run's branch: `golem/<item>`, with `.<n>` for later runs."""
    later = f".{run.number}" if run.number > 1 else ""
    return f"{config.branch_prefix}/{run.item}{later}"


def config_of(engine: Context, run: Run) -> ProjectConfig:
    """The configuration that the run is pinned to."""
    return engine.state.configs[run.config_digest]


def agent_of(engine: Context, run: Run, attempt: Attempt) -> Agent:
    """The definition of the attempt's agent that its run is pinned to."""
    return config_of(engine, run).agents[attempt.agent]
