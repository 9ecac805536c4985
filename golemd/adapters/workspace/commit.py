"""After an agent has run: look at what became of the workspace, and commit the phase's work.

What counts as somebody else's ref moved. Agents of other runs, golemd itself and people all work in the repository
at the same time, so a branch that grew, and a branch or tag that is new, are normal. Suspicious are: a branch or tag
deleted; a branch whose old tip is not in its history any more; a tag that names something else; and any move of a
golem branch whose run is not at work. Branches of runs that are at work (`busy`) are judged only when deleted,
since golemd itself puts those back.

What is committed is the tree that was verified, less what lay uncommitted in the workspace already when the phase
began and has not changed since. Commits that the agent made stay; ours comes on top.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from golemd.adapters.workspace.additions import Addition, with_additions
from golemd.adapters.workspace.git import CHECKOUT_SECONDS, Dirs, Git, object_name
from golemd.adapters.workspace.inner import GITLINK, ahead, declared, is_there
from golemd.adapters.workspace.kept import make_commit
from golemd.adapters.workspace.leftovers import free_stale_locks
from golemd.adapters.workspace.repository import (
    check_branch_name,
    commit_of,
    dirs_of,
    dirs_of_root,
    head_branch,
    in_progress,
    is_ancestor,
    move_ref,
    tree_of,
)
from golemd.adapters.workspace.shared import belongs_to
from golemd.adapters.workspace.trees import (
    apply,
    changes,
    diffstat_of,
    patched,
    take,
)
from golemd.adapters.workspace.types import FILES_MAX, Committed, Examined, RefChange, Workspace, shown
from golemd.api.faults import Conflict, Invalid

ATTEMPT_TRAILER: Final = "Golem-Attempt"
TREE_TRAILER: Final = "Golem-Tree"
"""The trailer by which a commit that was made before a crash is found again."""

_TRAILER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


# --- refs


async def refs_digest(git: Git, root: Path) -> str:
    """The state of all branches and tags, stored in the repository itself; gives the name to hand to `examine`."""
    dirs = dirs_of_root(root)
    return (await git.run(dirs, "hash-object", "-w", "--stdin", stdin=await _list_refs(git, dirs))).text


async def _list_refs(git: Git, dirs: Dirs) -> bytes:
    refs = await git.run(dirs, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")
    return refs.out


def _parse_refs(listing: bytes) -> dict[str, str]:
    lines = (os.fsdecode(line).split(" ", 1) for line in listing.splitlines())
    return {ref: name for name, ref in lines}


async def _foreign(
    git: Git, dirs: Dirs, before: dict[str, str], own: str, own_prefix: str, busy: Collection[str]
) -> list[RefChange]:
    after = _parse_refs(await _list_refs(git, dirs))
    busy_refs = {f"refs/heads/{branch}" for branch in busy}
    found = []
    for ref, old in before.items():
        new = after.get(ref)
        if ref == own or new == old or (ref in busy_refs and new is not None):
            continue
        what = await _judge(git, dirs, ref, old, new, own_prefix)
        if what:
            found.append(RefChange(shown(ref), what, old, new))
    return found


async def _judge(git: Git, dirs: Dirs, ref: str, old: str, new: str | None, own_prefix: str) -> str:
    """What is wrong with a ref's change; empty when nothing is."""
    if new is None:
        return "deleted"
    if ref.startswith("refs/tags/"):
        return "moved"
    if not await is_ancestor(git, dirs, old, new):
        return "rewound"
    return "moved" if own_prefix and ref.startswith(f"refs/heads/{own_prefix}") else ""


# --- looking


async def examine(
    git: Git,
    workspace: Workspace,
    branch: str,
    start_commit: str,
    start_tree: str,
    refs_before: str,
    *,
    base_tree: str = "",
    own_prefix: str = "golem/",
    busy: Collection[str] = (),
) -> Examined:
    """What an agent left: branch, history, refs, tree, repositories inside. Changes nothing.

    `refs_before` is from `refs_digest`; `base_tree` is what the phase's next commit is the difference from;
    `own_prefix` begins the names of golem branches; `busy` are the branches of other runs at work. Faults: as
    `snapshot`.
    """
    dirs = dirs_of(workspace)
    head = await commit_of(git, dirs, "HEAD")
    there = await head_branch(git, dirs)
    listing = await git.run(dirs, "cat-file", "blob", object_name(refs_before), statuses=None)
    own = f"refs/heads/{branch}"
    known = listing.status == 0
    foreign = await _foreign(git, dirs, _parse_refs(listing.out), own, own_prefix, busy) if known else []
    taken = await take(git, dirs)
    changed = await changes(git, dirs, start_tree, taken.tree)
    since_base = changed if base_tree in ("", start_tree) else await changes(git, dirs, base_tree, taken.tree)
    links = {change.path for change in since_base if change.new_mode == GITLINK}
    is_shared = workspace.path == workspace.root  # then what lies there, and nothing names, may be somebody else's
    unborn = () if is_shared else (path.rstrip(b"/") for path in taken.unborn)
    submodules = await declared(git, dirs)
    nested = [path for path in sorted({*links, *unborn} - submodules) if is_there(dirs, path)]
    return Examined(
        head=head,
        branch=None if there is None else shown(there),
        branch_ok=there == branch,
        holds_start=head is not None and await is_ancestor(git, dirs, start_commit, head),
        foreign=tuple(foreign),
        refs_known=known,
        in_progress=in_progress(dirs),
        tree=taken.tree,
        left=taken.left,
        nested=tuple(map(shown, nested)),
        ahead=tuple(map(shown, await ahead(git, dirs, submodules & links if is_shared else submodules))),
        files=tuple(shown(change.path) for change in changed[:FILES_MAX]),
        more_files=max(0, len(changed) - FILES_MAX),
    )


# --- committing


async def commit_phase(
    git: Git,
    workspace: Workspace,
    branch: str,
    start_commit: str,
    start_tree: str,
    tree: str,
    message: str,
    trailers: Sequence[tuple[str, str]],
    *,
    only: Collection[str] | None = None,
    others: Collection[str] | None = None,
    additions: Sequence[Addition] = (),
    sign: bool = False,
) -> Committed:
    """Commit what a phase changed between two snapshots, on top of the branch; the files on disk stay as they are.

    `trailers` must hold `Golem-Attempt`, by which a repeated call finds the commit it made. `only` (paths as
    os.fsdecode gives them) narrows what is committed. `others`, in a shared tree: only paths that changed between the
    snapshots are taken, but for those that begin with one of these, which other items are at work on. What was made
    after `tree` was taken stays uncommitted. `additions` are committed with it, and are on disk then. Faults:
    `branch_changed` (another branch is checked out), `branch_moved`, `object_missing`, `bad_trailer`, `git_locked`,
    `file_in_the_way`.
    """
    dirs = dirs_of(workspace)
    text = _message(message, trailers)
    # A tree of its own holds nobody else's work, so all that changed is the phase's, whoever has committed it.
    between = (start_tree, tree) if others is None and only is None else None
    async with git.changing(dirs.common_dir):
        ref = await check_branch_name(git, dirs, branch)
        free_stale_locks(dirs, ref)
        head = await _own_head(git, dirs, branch, ref)
        head_tree = await tree_of(git, dirs, head)
        earlier = await _earlier(git, dirs, start_commit, head, dict(trailers))
        if earlier is not None:
            if earlier == head:
                await _show_in_index(git, dirs, await _parent(git, dirs, head), head)
            return await _committed(git, dirs, earlier, head, head_tree, between, repeated=True)
        if others is not None:
            final = await _own_part(git, dirs, head_tree, start_tree, tree, others)
        else:
            final = await _tree_to_commit(git, dirs, head_tree, start_commit, start_tree, tree, only)
        final = await with_additions(git, dirs, final, additions)
        if final == head_tree:
            return await _own_work(git, dirs, head, head_tree, between)
        commit = await make_commit(git, dirs, final, [head], text, sign=sign)
        await move_ref(git, dirs, ref, commit, head)
        await _show_in_index(git, dirs, head, commit)
        return await _committed(git, dirs, commit, commit, final, between, repeated=False)


def _message(message: str, trailers: Sequence[tuple[str, str]]) -> str:
    """Message and trailers as git reads them: each trailer on one line, in a last paragraph of its own."""
    for key, value in trailers:
        if not _TRAILER.fullmatch(key) or not value.isprintable() or not value:
            raise Invalid("bad_trailer", f"not a trailer: {shown(key)}: {shown(value)}", "one printable line each")
    if ATTEMPT_TRAILER not in dict(trailers):
        raise Invalid("bad_trailer", f"a phase's commit needs {ATTEMPT_TRAILER}", "name the attempt")
    body = message.replace("\0", "").strip() or "(no summary)"
    return body + "\n\n" + "".join(f"{key}: {value}\n" for key, value in trailers)


async def _own_head(git: Git, dirs: Dirs, branch: str, ref: str) -> str:
    """The branch's tip, provided that it is what is checked out."""
    there = await head_branch(git, dirs)
    head = await commit_of(git, dirs, ref)
    if there != branch or head is None:
        message = f"{shown(there or 'no branch')} is checked out instead of {shown(branch)}"
        raise Conflict("branch_changed", message, "look at the workspace; put it back or switch to the branch")
    return head


async def _earlier(git: Git, dirs: Dirs, start: str, head: str, trailers: Mapping[str, str]) -> str | None:
    """The commit since the start that was made for the same attempt and of the same tree."""
    keys = [key for key in (ATTEMPT_TRAILER, TREE_TRAILER) if key in trailers]
    values = "%x1f".join(f"%(trailers:key={key},valueonly)" for key in keys)
    log = await git.run(dirs, "log", "-z", f"--format=%H%x1f{values}", head, f"^{object_name(start)}", "--")
    for entry in os.fsdecode(log.out).split("\0"):
        commit, *found = entry.split("\x1f")
        if found and all(trailers[key] in value.split("\n") for key, value in zip(keys, found, strict=True)):
            return commit
    return None


async def _parent(git: Git, dirs: Dirs, commit: str) -> str:
    return (await git.run(dirs, "rev-parse", "--verify", f"{commit}^1^{{commit}}")).text


async def _tree_to_commit(
    git: Git, dirs: Dirs, head_tree: str, start_commit: str, start_tree: str, tree: str, only: Collection[str] | None
) -> str:
    """The verified tree, with HEAD's own state wherever this phase has nothing to say."""
    if only is not None:
        wanted = {os.fsencode(path) for path in only}
        return await patched(git, dirs, head_tree, tree, wanted)
    baseline = await changes(git, dirs, await tree_of(git, dirs, start_commit), start_tree)
    if not baseline:
        return object_name(tree)
    touched = {change.path for change in await changes(git, dirs, start_tree, tree)}
    leftovers = {change.path for change in baseline} - touched
    return await patched(git, dirs, tree, head_tree, leftovers)


async def _own_part(git: Git, dirs: Dirs, head_tree: str, start_tree: str, tree: str, others: Collection[str]) -> str:
    """HEAD's tree with what changed between two snapshots of a tree that others work in as well."""
    touched = (change.path for change in await changes(git, dirs, start_tree, tree))
    return await patched(git, dirs, head_tree, tree, {path for path in touched if not belongs_to(path, others)})


async def _show_in_index(git: Git, dirs: Dirs, old: str, new: str) -> None:
    """Let the real index know what was committed; anything else that is staged stays staged."""
    await apply(git, dirs, None, await changes(git, dirs, old, new))
    await git.run(dirs, "update-index", "-q", "--refresh", statuses=(0, 1), seconds=CHECKOUT_SECONDS)


async def _own_work(git: Git, dirs: Dirs, head: str, head_tree: str, between: tuple[str, str] | None) -> Committed:
    """What is committed already: the agent may have done that itself."""
    stats = await diffstat_of(git, dirs, *between) if between is not None else None
    files = len(stats.files) + stats.more if stats is not None else 0
    if stats is None or not files:
        return Committed(None, head, head_tree)
    subject = (await git.run(dirs, "log", "-1", "--format=%s", head, "--")).text
    return Committed(head, head, head_tree, files, stats.insertions, stats.deletions, subject=subject)


async def _committed(
    git: Git, dirs: Dirs, commit: str, head: str, tree: str, between: tuple[str, str] | None, *, repeated: bool
) -> Committed:
    since, until = between or (await _parent(git, dirs, commit), commit)
    stats = await diffstat_of(git, dirs, since, until)
    files = len(stats.files) + stats.more
    return Committed(commit, head, tree, files, stats.insertions, stats.deletions, repeated)
