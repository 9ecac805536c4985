"""Repositories of tests: git and golem.toml, and the shell agents that work in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from golemd.api import calls, views
from tests.path.ground import run_command

if TYPE_CHECKING:
    from tests.path.house import House

RESULT: Final = (
    """printf '{"item_id":"%s","phase":"%s","result":"phase_complete","summary":"%s"}' """
    '"$GOLEM_ITEM" "$GOLEM_PHASE" "${SUMMARY:-done}" > "$GOLEM_RESULT"'
)
"""A line of shell that writes a good result."""


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def table(header: str, values: Mapping[str, Any]) -> str:
    """One TOML table of plain values."""
    return "\n".join([header, *(f"{key} = {_toml(value)}" for key, value in values.items())]) + "\n"


def phase(name: str = "build", **keys: Any) -> dict[str, Any]:
    """One phase of a pipeline, as golem.toml writes it."""
    return {"name": name, **keys}


def configuration(
    name: str,
    prefix: str,
    phases: Sequence[Mapping[str, Any]],
    execution: Mapping[str, Any],
    agents: Mapping[str, Mapping[str, Any]],
    pipelines: Mapping[str, Sequence[Mapping[str, Any]]],
    pre_phases: Sequence[Mapping[str, Any]] = (),
) -> str:
    """A golem.toml whose phases are worked on by the agent `scripted`, unless they say otherwise."""
    parts = [
        table("[project]", {"name": name, "prefix": prefix, "default_pipeline": "feature", "base_branch": "main"}),
        table("[execution]", {"agent": "scripted", "grace_seconds": 1.0, **execution}),
        NO_TRIAGE,
    ]
    parts += [table(f"[agents.{agent}]", keys) for agent, keys in agents.items()]
    parts += [table("[[pipelines.feature.pre_phases]]", keys) for keys in pre_phases]
    for pipeline, its_phases in {"feature": phases, **pipelines}.items():
        parts += [table(f"[[pipelines.{pipeline}.phases]]", keys) for keys in its_phases]
    return "\n".join(parts)


NO_TRIAGE: Final = table("[triage]", {"enabled": False})


class Project:
    """A git repository with a golem.toml."""

    def __init__(self, house: House, root: Path, name: str) -> None:
        self.house, self.root, self.name = house, root, name

    def git(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """What a git command prints; it must succeed."""
        done = run_command(["git", "-C", cwd or self.root, *arguments], env=self.house.env)
        assert done.status == 0, f"git {arguments}: {done.err}"
        return done.out.strip()

    def commit(self, files: Mapping[str, str], message: str = "more") -> str:
        """Write and commit files; the commit's name."""
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def file_of(self, item: str, name: str) -> str:
        """A file as it is on an item's branch, without its last line feed."""
        return self.git("show", f"golem/{item}:{name}")

    def worktree(self, item: str) -> Path:
        """Where an item is worked on."""
        return self.house.state / "worktrees" / self.name / item

    def add(self, description: str = "", title: str = "something", **fields: Any) -> str:
        """Add an item; its id."""
        call = calls.ItemAdd(project=self.name, title=title, description=description, **fields)
        return self.house.call(call).id

    def run(self, **fields: Any) -> views.RunStarted:
        """Dispatch the project."""
        return self.house.call(calls.RunStart(project=self.name, **fields))

    def halted(self, since: int = 1) -> dict[str, Any]:
        """Wait until the dispatch has ended by itself."""
        return self.house.until("dispatch.halted", since=since, project=self.name)

    def work(self, description: str = "", **fields: Any) -> str:
        """Add an item and dispatch the project; the item's id."""
        item = self.add(description, **fields)
        self.run()
        return item
