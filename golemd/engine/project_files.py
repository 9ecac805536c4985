"""A project's own configuration file: found, read, and what is wrong with it. Secrets in it are kept nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from golemd.api.faults import Fault, Invalid
from golemd.api.model import Run
from golemd.core.configuration import Reading, read_project
from golemd.core.decide.projects import where_gone
from golemd.engine.context import Context
from golemd.engine.programs import Unusable

CONFIG_FILE: Final = "golem.toml"
OLD_CONFIG_FILE: Final = "phase-golem.toml"


class ProjectFile(NamedTuple):
    """A configuration file with its text and what it says."""

    file: Path
    text: str
    reading: Reading


def find_config(engine: Context, root: Path) -> ProjectFile | None:
    """The project's file, good or not; None when it has none. Raises Invalid `unreadable_file`."""
    for name in (CONFIG_FILE, OLD_CONFIG_FILE):
        text = engine.parts.files.read_text(root / name)
        if text is not None:
            return ProjectFile(root / name, text, _read(engine, text, root, root / name, old=name == OLD_CONFIG_FILE))
    return None


def gone(engine: Context) -> tuple[str, ...]:
    """The projects whose folder or git folder is not there: removed, moved, or not mounted."""
    there = engine.parts.files.is_there
    projects = engine.state.projects.values()
    return tuple(each.name for each in projects if not (there(Path(each.root)) and there(Path(each.common_dir))))


def read_config(engine: Context, root: Path) -> Reading:
    """What the project's file says. Raises Invalid `configuration_missing`; `configuration_invalid` with all errors."""
    found = find_config(engine, root)
    if found is None:
        for name in gone(engine):
            if engine.state.projects[name].root == str(root):
                raise Invalid("configuration_missing", f"The folder of {name} is gone: {root}.", where_gone(name))
        hint = "golemctl init writes a commented one."
        raise Invalid("configuration_missing", f"There is no {CONFIG_FILE} in {root}.", hint)
    return _good(found.reading, found.file)


def read_good(engine: Context, text: str, root: Path, file: Path, *, old: bool = False) -> Reading:
    """What a text says as a project's file, in golemd's or the old dialect. Raises Invalid `configuration_invalid`."""
    return _good(_read(engine, text, root, file, old=old), file)


def _read(engine: Context, text: str, root: Path, file: Path, *, old: bool) -> Reading:
    return read_project(
        text,
        str(file),
        dialect="phase-golem" if old else "golem",
        folder_name=root.name,
        salt=engine.parts.instance.encode(),
    )


def _good(reading: Reading, file: Path) -> Reading:
    if reading.config is None:
        problems = [str(problem) for problem in reading.problems]
        message = f"{file.name} has {len(problems)} problem{'s' if len(problems) > 1 else ''}:\n" + "\n".join(problems)
        raise Invalid("configuration_invalid", message, "Mend them all and try again.", problems=problems)
    return reading


def agent_values(engine: Context, run: Run, agent: str) -> dict[str, str]:
    """The values of an agent's own variables, read at this moment; only names that the run is pinned to count."""
    root = Path(engine.state.projects[run.project].root)
    pinned = engine.state.configs[run.config_digest].agents[agent].env_digests
    try:
        values = read_config(engine, root).environment.get(agent, {})
    except Fault as fault:
        raise Unusable(f"The values of [agents.{agent}] env cannot be read: {fault.message}") from fault
    return {name: value for name, value in values.items() if name in pinned}
