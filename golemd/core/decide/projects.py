"""Projects: register, configure, remove."""

from __future__ import annotations

import re
from typing import Final

from golemd.api import calls, views
from golemd.api import events as ev
from golemd.api.config import ProjectConfig
from golemd.api.events import Draft
from golemd.api.faults import Conflict, Internal, Invalid
from golemd.api.model import ENDED, Project
from golemd.core import commands as cmd
from golemd.core.decide.common import Decided
from golemd.core.state import State

_PREFIX: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def init(state: State, call: calls.ProjectInit, command: cmd.Asked) -> Decided:
    """Register a repository, or say that it is registered already and take its configuration anew."""
    facts = command.facts
    if facts.config is None:
        raise Internal("no_facts", "The repository was not looked at.")
    for project in state.projects.values():
        if project.common_dir == facts.common_dir:
            return _registered_already(project, call, facts.config, facts.config_digest)
    config = facts.config
    prefix = call.prefix or config.prefix
    _check_prefix(state, prefix)
    if config.name in state.projects:
        other = state.projects[config.name].root
        hint = 'Give this one another: name = "…" under [project] in its golem.toml.'
        raise Conflict("name_taken", f"The project name {config.name!r} belongs to {other}.", hint)
    registered = ev.ProjectRegistered(
        name=config.name,
        root=facts.root,
        common_dir=facts.common_dir,
        prefix=prefix,
        base_branch=config.base_branch or facts.head_branch,
    )
    configured = ev.ProjectConfigured(config=config, digest=facts.config_digest, by="init")
    return Decided((Draft(registered, config.name), Draft(configured, config.name)), note="written" * facts.wrote)


def _registered_already(project: Project, call: calls.ProjectInit, config: ProjectConfig, digest: str) -> Decided:
    if call.prefix and call.prefix != project.prefix:
        message = f"{project.name} is registered with the prefix {project.prefix}, and its items carry it."
        raise Conflict("prefix_fixed", message, "Leave out --prefix.")
    if digest == project.config_digest:
        return Decided(note="registered already")
    configured = ev.ProjectConfigured(config=config, digest=digest, by="init")
    return Decided((Draft(configured, project.name),), note="registered already; the new configuration is in force")


def _check_prefix(state: State, prefix: str) -> None:
    if not _PREFIX.fullmatch(prefix):
        message = f"The prefix {prefix[:40]!r} is not one."
        raise Invalid("invalid_prefix", message, "A letter, then letters, digits, _ or -; 32 at most.")
    taken = {project.prefix: project for project in state.projects.values()}
    if prefix in taken:
        proposal = next(f"{prefix}{n}" for n in range(2, 10_000) if f"{prefix}{n}" not in taken)
        message = f"The prefix {prefix} belongs to the project {taken[prefix].name}."
        raise Conflict("prefix_taken", message, f"golemctl init --prefix {proposal}", proposal=proposal)


def remove(state: State, call: calls.ProjectRemove, command: cmd.Asked) -> Decided:
    """Forget a project that has nothing unfinished."""
    project = state.project(call.project)
    mine = [(item, state.runs_of(item.id)) for item in state.items_of(project.name)]
    left = [item.id for item, runs in mine if item.status not in ENDED or not all(map(state.is_put_away, runs))]
    if left:
        message = f"{project.name} has {len(left)} unfinished items, such as {left[0]}."
        raise Conflict("items_left", message, "Finish or cancel them first.")
    return Decided((Draft(ev.ProjectRemoved(), project.name),))


def reload(state: State, call: calls.Reload, command: cmd.Asked) -> Decided:
    """Put the configurations in force that have changed; the shell has read and checked them."""
    drafts = [
        Draft(ev.ProjectConfigured(config=config, digest=digest, by="reload"), name)
        for name, config, digest in command.facts.configs
        if state.projects[name].config_digest != digest
    ]
    changed = tuple(draft.project for draft in drafts)
    unchanged = tuple(name for name in state.projects if name not in changed)
    answer = views.ReloadView(changed=changed, unchanged=unchanged, problems=command.facts.problems)
    return Decided(tuple(drafts), answer=answer)
