"""Projects: register, configure, remove."""

from __future__ import annotations

from itertools import chain

from msgspec.structs import replace

from golemd.api import calls, views
from golemd.api import events as ev
from golemd.api.config import ProjectConfig
from golemd.api.events import Draft
from golemd.api.faults import Conflict, Internal, Invalid
from golemd.api.model import ENDED, Project
from golemd.core import commands as cmd
from golemd.core.decide.common import Decided, about
from golemd.core.golem_toml import PREFIX_RULE
from golemd.core.state import State


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
    _check_prefix(state, prefix, facts.gone)
    if config.name in state.projects:
        other = state.projects[config.name]
        hint = 'Give this one another: name = "…" under [project] in its golem.toml.'
        raise _taken("name_taken", f"The project name {config.name!r} belongs to {other.root}", hint, other, facts.gone)
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


def check_form(prefix: str) -> None:
    """Raises Invalid `invalid_prefix` for what can be no prefix."""
    if not PREFIX_RULE.fullmatch(prefix):
        message = f"The prefix {prefix[:40]!r} is not one."
        raise Invalid("invalid_prefix", message, "A letter or digit, then letters, digits, _ or -; 32 at most.")


def free_prefix(state: State, prefix: str) -> str:
    """The prefix, or where another project has it, one like it."""
    taken = {project.prefix for project in state.projects.values()}
    return next(each for each in (prefix, *(f"{prefix}{n}" for n in range(2, 10_000))) if each not in taken)


def _check_prefix(state: State, prefix: str, gone: tuple[str, ...]) -> None:
    check_form(prefix)
    taken = {project.prefix: project for project in state.projects.values()}
    if prefix in taken:
        proposal = free_prefix(state, prefix)
        message, hint = (
            f"The prefix {prefix} belongs to the project {taken[prefix].name}",
            f"golemctl init --prefix {proposal}",
        )
        raise _taken("prefix_taken", message, hint, taken[prefix], gone, proposal=proposal)


def _taken(code: str, message: str, hint: str, by: Project, gone: tuple[str, ...], **data: str) -> Conflict:
    """Something belongs to a project that is registered already, and perhaps is this one, before it was moved."""
    if by.name in gone:
        message, hint = f"{message}, and {by.root} is gone", where_gone(by.name)
    return Conflict(code, f"{message}.", hint, **data)


def where_gone(project: str) -> str:
    """What a person can do about a project whose folder is gone."""
    return f"Move it back, or forget the project: golemctl projects --remove {project}"


def remove(state: State, call: calls.ProjectRemove, command: cmd.Asked) -> Decided:
    """Forget a project that has nothing unfinished. Where its repository is gone, worktrees stay as they are."""
    project = state.project(call.project)
    is_gone = project.name in command.facts.gone
    runs = [(item, run) for item in state.items_of(project.name) for run in state.runs_of(item.id)]
    stay = [(item, run) for item, run in runs if is_gone and run.tidy and state.is_put_away(replace(run, tidy=False))]
    busy = {item.id for item, run in runs if not state.is_put_away(run) and (item, run) not in stay}
    left = [item.id for item in state.items_of(project.name) if item.status not in ENDED or item.id in busy]
    if left:
        message = f"{project.name} has {len(left)} unfinished items, such as {left[0]}."
        raise Conflict("items_left", message, "Finish or cancel them first.")
    listed = (f"{project.root} is gone",)
    drafts = [about(item, ev.WorkKept(run=run.id, then="left", listed=listed)) for item, run in stay]
    return Decided((*chain.from_iterable(drafts), Draft(ev.ProjectRemoved(), project.name)))


def reload(state: State, call: calls.Reload, command: cmd.Asked) -> Decided:
    """Put the configurations in force that have changed; the shell has read and checked them. Parked accounts count as
    available again: whoever has paid, or has logged in as somebody else, need not wait for their time.
    """
    drafts = [
        Draft(ev.ProjectConfigured(config=config, digest=digest, by="reload"), name)
        for name, config, digest in command.facts.configs
        if state.projects[name].config_digest != digest
    ]
    changed = tuple(draft.project for draft in drafts)
    unchanged = tuple(name for name in state.projects if name not in changed)
    available = tuple(each.name for each in state.providers.values() if each.until_us)
    answer = views.ReloadView(
        changed=changed, unchanged=unchanged, available=available, problems=command.facts.problems
    )
    drafts += [Draft(ev.ProviderAvailable(provider=name)) for name in available]
    return Decided(tuple(drafts), answer=answer)
