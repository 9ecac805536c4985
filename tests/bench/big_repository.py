"""A repository that is big: what golemd's work with git costs in it, beside what git itself needs for the same.

`python -m tests.bench.big_repository [--files N] [--blobs N] [--blob-mb MB] [--place DIR]` makes a repository of so
many small files and large incompressible ones in a temporary folder, measures each step of a phase's life once, and
removes everything. Wall seconds; the peer is the git command that a person would use, on a tree in the same state. At
the end: the most memory that this process has had, none of which is git's.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import trio

from golemd.adapters import workspace
from golemd.adapters.workspace import Git, Workspace

MIB: Final = 1 << 20
BRANCH: Final = "golem/WRK-1"
CHANGED: Final = 200  # small files that an attempt changes, and as many that it adds


class Lab:
    """A big repository and a worktree of it."""

    def __init__(self, place: Path, files: int, blobs: int, blob_mb: int) -> None:
        self.root, self.trees = place / "project", place / "trees"
        self.files, self.blobs, self.blob_mb = files, blobs, blob_mb
        self.git = Git("bench")
        self.place = Workspace(self.root, self.trees / "WRK-1")
        self.start: workspace.Prepared | None = None

    def sh(self, *words: str | Path, cwd: Path | None = None) -> str:
        who = ["-c", "user.name=b", "-c", "user.email=b@localhost", "-c", "gc.auto=0"]
        done = subprocess.run(["git", *who, *words], cwd=cwd or self.root, check=True, capture_output=True)
        return done.stdout.decode().strip()

    def make(self) -> None:
        self.root.mkdir(parents=True)
        self.sh("init", "-q", "-b", "main")
        for number in range(self.files):
            path = self.root / f"src/{number // 1000}/{number % 1000 // 50}/file{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"value = {number}\n" * 20)
        for number in range(self.blobs):
            self.blob(self.root / f"data/blob{number}.bin")
        self.sh("-c", "core.compression=0", "add", "-A")
        self.sh("commit", "-q", "-m", "begin")

    def blob(self, path: Path, mib: int = 0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            for _ in range(mib or self.blob_mb):
                file.write(os.urandom(MIB))

    def attempt(self, tree: Path, mark: str, big: bool = True) -> None:
        """What an agent does: small changes, new files, and (if wanted) a changed large one."""
        for number in range(min(CHANGED, self.files)):
            (tree / f"src/0/{number // 50}/file{number}.py").write_text(f"{mark} = {number}\n" * 20)
            (tree / f"src/0/new{number}.py").write_text(f"{mark}\n")
        if big and self.blobs:
            self.blob(tree / "data/blob0.bin")


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


async def measured(work: Awaitable[Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = await work
    return time.perf_counter() - begun, found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.big_repository", description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--blobs", type=int, default=10)
    parser.add_argument("--blob-mb", type=int, default=20)
    parser.add_argument("--place", type=Path)
    options = parser.parse_args(argv)
    place = Path(tempfile.mkdtemp(prefix="golem-big-", dir=options.place))
    try:
        lab = Lab(place, options.files, options.blobs, options.blob_mb)
        print(f"made in {seconds(lab.make):.1f} s: {options.files} files, {options.blobs} of {options.blob_mb} MB")
        trio.run(_measure, lab)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"this process: {memory} MB at most")
    return 0


def row(work: str, ours: float, peer: str, theirs: float) -> None:
    print(f"{work:34} {ours:8.2f} s   {peer:34} {theirs:8.2f} s   {ours / max(theirs, 1e-9):6.2f}", flush=True)


async def _measure(lab: Lab) -> None:
    git, place, tree = lab.git, lab.place, lab.place.path
    peer = lab.trees / "peer"

    async def ours(work: Awaitable[Any]) -> tuple[float, Any]:
        return await measured(work)

    lab.trees.mkdir()
    theirs = seconds(lambda: lab.sh("worktree", "add", "-q", "-b", "peer", peer, "main"))
    took, start = await ours(
        workspace.prepare_worktree(git, place, BRANCH, "main", worktree_root=lab.trees, keep_as="WRK-1.1")
    )
    row("enter: a new worktree", took, "git worktree add", theirs)
    theirs = seconds(lambda: lab.sh("status", "--porcelain", cwd=peer))
    took, there = await ours(workspace.reopen_worktree(git, place, BRANCH, worktree_root=lab.trees, keep_as="WRK-1.1"))
    row("enter: one that stands", took, "git status", theirs)
    theirs = seconds(lambda: lab.sh("status", "--porcelain", cwd=peer))
    took, _ = await ours(workspace.snapshot(git, place))
    row("snapshot, nothing changed", took, "git status, again", theirs)
    refs = await workspace.refs_digest(git, lab.root)

    lab.attempt(tree, "ours")
    lab.attempt(peer, "peer")
    theirs = seconds(lambda: lab.sh("add", "-A", cwd=peer))
    took, looked = await ours(workspace.examine(git, place, BRANCH, start.head, there.tree, refs))
    row("examine after an attempt", took, "git add -A", theirs)
    theirs = seconds(lambda: lab.sh("status", "--porcelain", cwd=peer))
    took, _ = await ours(workspace.current(git, place))
    row("look at the same again", took, "git status", theirs)
    theirs = seconds(lambda: lab.sh("commit", "-q", "-m", "work", cwd=peer))
    took, done = await ours(
        workspace.commit_phase(
            git, place, BRANCH, start.head, there.tree, looked.tree, "work", [("Golem-Attempt", "WRK-1.1.build.1")]
        )
    )
    row("commit the phase", took, "git commit", theirs)
    theirs = seconds(lambda: lab.sh("status", "--porcelain", cwd=peer))
    took, _ = await ours(workspace.current(git, place))
    row("look after the commit", took, "git status", theirs)
    took, after = await ours(workspace.current(git, place))
    row("and again", took, "git status", seconds(lambda: lab.sh("status", "--porcelain", cwd=peer)))

    lab.attempt(tree, "failed")
    lab.attempt(peer, "failed")
    theirs = seconds(lambda: lab.sh("stash", "-q", "-u", cwd=peer))
    took, _ = await ours(workspace.put_back(git, place, BRANCH, done.head, after.tree, name="WRK-1.1.build.2"))
    row("keep and put back", took, "git stash -u", theirs)

    lab.attempt(tree, "waits", big=False)
    lab.blob(tree / "download.iso", 60)
    theirs = seconds(lambda: lab.sh("status", "--porcelain", cwd=peer))
    took, _ = await ours(workspace.snapshot(git, place))
    row("snapshot with a new file of 60 MB", took, "git status", theirs)
    took, _ = await ours(workspace.snapshot(git, place))
    row("and again", took, "git status", theirs)
    (tree / "download.iso").unlink()
    took, kept = await ours(workspace.keep_aside(git, place, BRANCH, "WRK-1.1.aside", quiet_since=time.time() + 60))
    assert kept.aside is not None, kept.hindrances
    row("set aside: keep", took, "git status", theirs)
    theirs = seconds(lambda: lab.sh("worktree", "remove", "--force", peer))
    clean = (kept.aside.tree, kept.aside.staged)
    took, _ = await ours(workspace.remove_worktree(git, place, worktree_root=lab.trees, keep_as="WRK-1.1", clean=clean))
    row("set aside: remove", took, "git worktree remove", theirs)
    theirs = seconds(lambda: lab.sh("worktree", "add", "-q", peer, "peer"))
    took, _ = await ours(
        workspace.bring_back(git, place, BRANCH, kept.aside, worktree_root=lab.trees, keep_as="WRK-1.1")
    )
    row("bring it back", took, "git worktree add", theirs)
    theirs = seconds(lambda: lab.sh("worktree", "remove", "--force", peer))
    took, _ = await ours(workspace.remove_worktree(git, place, worktree_root=lab.trees, keep_as="WRK-1.1"))
    row("tidy: keep and remove", took, "git worktree remove", theirs)


if __name__ == "__main__":
    sys.exit(main())
