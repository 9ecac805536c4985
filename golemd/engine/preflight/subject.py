"""What a preflight looks at, and how what it finds is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from golemd.adapters.agents.environment import child_environment
from golemd.adapters.workspace import Repository
from golemd.api.checks import CheckFinding
from golemd.api.config import Agent, ProjectConfig
from golemd.api.faults import Fault
from golemd.api.model import Project
from golemd.core.toml import Document
from golemd.engine.context import Context
from golemd.engine.project_files import ProjectFile


class Subject(Struct):
    """What is looked at, as far as it has been found. `config` and `document` are None while the file is not good."""

    root: Path
    project: Project | None
    path: str = ""
    file: ProjectFile | None = None
    document: Document | None = None
    repository: Repository | None = None

    @property
    def config(self) -> ProjectConfig | None:
        """What the file says, where it is good."""
        return self.file.reading.config if self.file is not None else None

    def at(self, *key: str | int, instead: tuple[str, ...] = ()) -> str:
        """Where a key is written, as file:line; where another is that stands for it, when it is not."""
        assert self.file is not None
        document = self.document or Document({}, {})
        return f"{self.file.file.name}:{document.locate(key if key in document.lines else instead or key)}"

    def environment(self, engine: Context, name: str = "") -> dict[str, str]:
        """What commands of golemd, or the agent of that name, would be run with; it holds secrets."""
        general = engine.parts.settings.environment
        agent, values = Agent(), {}
        if name and self.file is not None and self.config is not None:
            agent, values = self.config.agents[name], self.file.reading.environment.get(name, {})
        passed = (*general.pass_env, *agent.pass_env)
        return child_environment(engine.parts.environ, passed, {**general.variables, **values}, self.path, {})


def of_fault(where: str, fault: Fault, *, level: str = "error", **more: Any) -> CheckFinding:  # noqa: ANN401 - of a CheckFinding
    """A fault as a finding."""
    what = fault.message.rstrip(".")
    return CheckFinding(level=level, where=where, what=what, hint=fault.hint or None, **more)
