"""Whether there is a repository that golemd can work in, and that no other daemon holds."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from golemd.adapters.workspace import require_usable
from golemd.api.checks import CheckFinding
from golemd.api.faults import Fault, Unavailable
from golemd.api.model import Item
from golemd.api.words import count
from golemd.core.decide.projects import where_gone
from golemd.core.preflight import live_items
from golemd.engine.context import Context
from golemd.engine.preflight.subject import Subject, of_fault
from golemd.engine.project_files import gone

SHARED: Final = "shared"  # the workspace of projects whose items are worked on in the repository itself
UNDER_WAY: Final = "operation_in_progress"  # the code of a repository in the middle of a merge or rebase


async def usable(engine: Context, subject: Subject) -> list[CheckFinding]:
    """There is a repository, in which golemd can work."""
    workspaces = engine.parts.workspaces
    try:
        subject.repository = await workspaces.inspect_repository(subject.root)
        subject.root = subject.repository.root
        await workspaces.require_worktrees(subject.root)
        require_usable(subject.repository)
    except Fault as fault:
        if fault.code == UNDER_WAY:
            return []  # of concern only where work is done in the repository itself: see `tree`
        found = of_fault(str(subject.root), fault, stops_all=not isinstance(fault, Unavailable))
        name = subject.project.name if subject.project is not None else ""
        return [replace(found, hint=where_gone(name)) if name in gone(engine) else found]
    return []


async def free(engine: Context, subject: Subject) -> list[CheckFinding]:
    """No other daemon holds the project."""
    if subject.repository is None or (subject.project is not None and subject.project.name in engine.held):
        return []
    fault = engine.parts.workspaces.held_elsewhere(subject.repository.common_dir)
    return [of_fault(str(subject.root), fault, stops_all=True)] if fault is not None else []


async def tree(engine: Context, subject: Subject) -> list[CheckFinding]:
    """What is not committed or not finished; where items have worktrees of their own, it is good to know, no more."""
    repository, config = subject.repository, subject.config
    if repository is None or not repository.has_commit or config is None:
        return []
    shared, where = config.execution.workspace == SHARED, str(subject.root)
    found = []
    if repository.in_progress:
        level = "error" if shared else "info"
        found.append(CheckFinding(level=level, where=where, what=f"a {repository.in_progress} is under way"))
    if changed := await engine.parts.workspaces.uncommitted(subject.root):
        files = f"{count(changed, 'file')} with uncommitted changes"
        why = "a run begins when there are none" if shared else "items begin at the tip of their branch, without them"
        level = "warning" if shared else "info"
        found.append(CheckFinding(level=level, where=where, what=f"{files}: {why}"))
    return found


async def branches(engine: Context, subject: Subject) -> list[CheckFinding]:
    """The branches that items begin at exist."""
    config, repository = subject.config, subject.repository
    if config is None or repository is None or not repository.has_commit:
        return []
    if config.execution.workspace == SHARED:
        return _checked_out(subject, repository.head_branch)
    base = config.base_branch or (subject.project.base_branch if subject.project else repository.head_branch) or ""
    if not base:
        what = "HEAD is detached, and no base branch is configured"
        hint = 'Name one: base_branch = "…" under [project] in golem.toml.'
        return [CheckFinding(level="error", where=str(subject.root), what=what, hint=hint, stops_all=True)]
    items = live_items(engine.state, subject.project.name) if subject.project is not None else []
    unbound = {item.id: item.base or base for item in items if not _is_bound(engine, item)}
    names = dict.fromkeys((base, *unbound.values()))
    missing = await engine.parts.workspaces.missing_branches(subject.root, names)
    found = []
    if base in missing:
        what, hint = f"the base branch {base} does not exist", f"git branch {base}, or another base_branch in [project]"
        none_can = len(unbound) == len(items) and all(branch in missing for branch in unbound.values())
        where = subject.at("project", "base_branch")
        found.append(CheckFinding(level="error", where=where, what=what, hint=hint, stops_all=none_can))
    for item, branch in unbound.items():
        if branch in missing and branch != base:
            what = f"its base branch {branch} does not exist"
            hint = f"git branch {branch}, or: golemctl edit {item} --base {base}"
            found.append(CheckFinding(level="error", where=item, what=what, hint=hint))
    return found


def _checked_out(subject: Subject, branch: str | None) -> list[CheckFinding]:
    """A repository that is worked in itself has a branch checked out."""
    if branch is not None:
        return []
    what = "HEAD is detached, and items are worked on in the repository itself"
    return [CheckFinding(level="error", where=str(subject.root), what=what, hint="git switch BRANCH", stops_all=True)]


def _is_bound(engine: Context, item: Item) -> bool:
    """Whether the item's run has begun, at a commit that it keeps."""
    run = engine.state.run_of(item)
    return run is not None and bool(run.base_commit)
