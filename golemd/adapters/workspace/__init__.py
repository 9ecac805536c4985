"""Workspaces: everything that golemd does with git.

Reading order: `types` (what goes in and out), `git` (running the program), `repository` (finding, holding,
naming), `trees` (snapshots of what is on disk), `kept` (nothing is lost), `worktree` (making and removing), `copies`
(what git does not carry), `aside` (removed for a while), `commit` (after an agent has run), `additions` (what golemd
adds to it), `leftovers` (what a dead daemon left), `workspaces` (all of it as one seam, for the engine).

Each function takes the daemon's one `Git` first. What changes a repository waits for its turn there; what only reads
does not. All of them may be cancelled, and called again after a crash at any point.
"""

from golemd.adapters.workspace.additions import Addition
from golemd.adapters.workspace.aside import SetAside, bring_back, content_aside, keep_aside
from golemd.adapters.workspace.commit import commit_phase, examine, refs_digest
from golemd.adapters.workspace.copies import Copied, copy_files, ignoring
from golemd.adapters.workspace.git import Git, excluding
from golemd.adapters.workspace.kept import keep, put_back
from golemd.adapters.workspace.leftovers import clear_dead_git
from golemd.adapters.workspace.repository import (
    ProjectLock,
    held_elsewhere,
    hold_project,
    inspect_repository,
    require_usable,
)
from golemd.adapters.workspace.shared import enter_shared, missing_commits
from golemd.adapters.workspace.trees import current, diffstat, snapshot
from golemd.adapters.workspace.types import (
    Cleared,
    Committed,
    Current,
    DiffStat,
    Examined,
    FileStat,
    Kept,
    Listed,
    Prepared,
    PutBack,
    RefChange,
    Repository,
    Workspace,
    shown,
)
from golemd.adapters.workspace.workspaces import GitWorkspaces, Hold, Workspaces
from golemd.adapters.workspace.worktree import prepare_worktree, remove_worktree, reopen_worktree, worktree_stands

__all__ = [
    "Addition",
    "Cleared",
    "Committed",
    "Copied",
    "Current",
    "DiffStat",
    "Examined",
    "FileStat",
    "Git",
    "GitWorkspaces",
    "Hold",
    "Kept",
    "Listed",
    "Prepared",
    "ProjectLock",
    "PutBack",
    "RefChange",
    "Repository",
    "SetAside",
    "Workspace",
    "Workspaces",
    "bring_back",
    "clear_dead_git",
    "commit_phase",
    "content_aside",
    "copy_files",
    "current",
    "diffstat",
    "enter_shared",
    "examine",
    "excluding",
    "held_elsewhere",
    "hold_project",
    "ignoring",
    "inspect_repository",
    "keep",
    "keep_aside",
    "missing_commits",
    "prepare_worktree",
    "put_back",
    "refs_digest",
    "remove_worktree",
    "reopen_worktree",
    "require_usable",
    "shown",
    "snapshot",
    "worktree_stands",
]
