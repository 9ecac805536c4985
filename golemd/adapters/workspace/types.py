"""What the workspace adapter takes and gives: places, states and outcomes, as frozen values.

Every name in them that came out of a repository (a path, a branch) has been through `shown`, so it is valid
UTF-8 and can stand in a record. Commits and trees are full hexadecimal object names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

BIG_BYTES: Final = 50 * 1024 * 1024
"""A file above this size is listed by `keep`, never stored."""

LISTED_MAX: Final = 200
"""How many files `Kept` names; what is beyond is counted."""

FILES_MAX: Final = 1000
"""How many files `Examined` and `DiffStat` name; what is beyond is counted."""


def shown(path: str | bytes) -> str:
    r"""A path for people and records: valid UTF-8, control characters and stray bytes as `\xNN` or `\uNNNN`."""
    return "".join(map(_shown_character, os.fsdecode(path)))


def _shown_character(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, smuggled through by surrogateescape
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class Repository(msgspec.Struct, frozen=True):
    """A git repository as `inspect_repository` found it."""

    root: Path
    """Where the project lives: the main worktree's top, or the linked one's where the main one is bare."""
    toplevel: Path
    """The top of the worktree that was looked at; differs from root inside a linked worktree."""
    common_dir: Path
    """The git folder that all worktrees share."""
    head: str | None
    """The commit checked out at root."""
    head_branch: str | None
    """The branch checked out at root, without refs/heads/; None when HEAD is detached."""
    in_progress: str = ""
    """`rebase`, `merge`, `cherry-pick`, `revert` or `bisect` under way at root; else empty."""
    linked_worktree: bool = False
    """Whether the folder lay in a linked worktree."""

    @property
    def has_commit(self) -> bool:
        """Whether HEAD names a commit yet."""
        return self.head is not None


class Workspace(msgspec.Struct, frozen=True):
    """One working tree of a project: `path` is a linked worktree, or equals `root` where the workspace is shared."""

    root: Path
    path: Path


class Listed(msgspec.Struct, frozen=True):
    """Something that `keep` names but does not store."""

    path: str
    why: str
    """`ignored`, `big` or `submodule`."""
    size: int | None = None
    """In bytes; None for folders."""


class Kept(msgspec.Struct, frozen=True):
    """What `keep` stored. Without anything to keep, ref and commit are None."""

    ref: str | None = None
    commit: str | None = None
    listed: tuple[Listed, ...] = ()
    more: int = 0
    """How many further files `listed` leaves out."""


class Prepared(msgspec.Struct, frozen=True):
    """A worktree that stands ready for its run."""

    base_branch_commit: str
    """The tip of the base branch."""
    base_commit: str
    """That tip, or the merge of dependencies on top of it: the commit that the run is pinned to."""
    head: str
    tree: str
    merged: tuple[str, ...] = ()
    """Items whose branches were merged here."""
    missing: tuple[str, ...] = ()
    """Dependencies whose branch does not exist any more; nothing of them was merged."""
    kept: Kept = Kept()
    """What an earlier try had left behind."""


class RefChange(msgspec.Struct, frozen=True):
    """A branch or tag that somebody moved."""

    ref: str
    what: str
    """`deleted`, `rewound` (its old commit is not in its history any more) or `moved`."""
    before: str
    after: str | None


class Examined(msgspec.Struct, frozen=True):
    """A workspace after an agent has run."""

    head: str | None
    branch: str | None
    """The branch checked out; None when detached."""
    branch_ok: bool
    """Whether that is the run's own branch."""
    holds_start: bool
    """Whether HEAD's history still contains the commit that the phase began at."""
    foreign: tuple[RefChange, ...]
    """Refs of others that were moved in a way that fails the phase."""
    refs_known: bool
    """False when the state before was not to be had any more, so that `foreign` says nothing."""
    in_progress: str
    """A rebase, merge, … that was left unfinished; else empty."""
    tree: str
    """The working tree as it is, untracked files included."""
    files: tuple[str, ...]
    """Files that differ between the phase's start and `tree`."""
    more_files: int = 0
    left: tuple[Listed, ...] = ()
    """New files that are too big to be part of the tree."""
    nested: tuple[str, ...] = ()
    """New repositories inside that are no submodules: a commit would hold nothing of their files."""
    ahead: tuple[str, ...] = ()
    """Submodules with work that only this workspace has."""

    @property
    def sound(self) -> bool:
        """Whether the phase may go on: own branch, history intact, nobody else's refs touched."""
        return self.branch_ok and self.holds_start and not self.foreign


class Committed(msgspec.Struct, frozen=True):
    """The outcome of `commit_phase`."""

    commit: str | None
    """None when there was nothing; the tip, when the agent has committed all of it by itself."""
    head: str
    """The tip of the branch now."""
    tree: str
    """The tree of `head`."""
    files: int = 0
    """With the two that follow: what the phase has changed, in a tree of its own also where its agent has committed."""
    insertions: int = 0
    deletions: int = 0
    repeated: bool = False
    """Whether an earlier call had made this commit already."""
    subject: str = ""
    """The first line of the agent's own commit."""


class Current(msgspec.Struct, frozen=True):
    """Where a workspace stands: what a gate is bound to."""

    head: str
    tree: str


class PutBack(msgspec.Struct, frozen=True):
    """A workspace after `put_back`; tree is what the next attempt starts from."""

    kept: Kept
    head: str
    tree: str


class FileStat(msgspec.Struct, frozen=True):
    """Changed lines of one file; None for a binary one."""

    path: str
    insertions: int | None
    deletions: int | None


class DiffStat(msgspec.Struct, frozen=True):
    """Changed lines between two trees. `files` is bounded, the sums are not."""

    files: tuple[FileStat, ...]
    more: int
    insertions: int
    deletions: int


class Cleared(msgspec.Struct, frozen=True):
    """What `clear_dead_git` found of an earlier daemon."""

    ended: tuple[int, ...] = ()
    """Processes that had to be ended; others ended by themselves."""
    waited: tuple[int, ...] = ()
    """Processes that ended by themselves within the time."""
    locks: tuple[str, ...] = ()
    """Lock files removed."""
