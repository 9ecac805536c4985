"""A real repository to work on: one commit on main, an empty HOME, a folder for worktrees."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from golemd.adapters.workspace import Git, Prepared, Workspace, prepare_worktree

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "LC_ALL": "C",
}
PERSON = {f"GIT_{who}_{what}": "person" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Lab:
    """Paths and helpers of one test. `sh` is git as a person or an agent runs it."""

    def __init__(self, tmp: Path) -> None:
        self.tmp = tmp
        self.home = tmp / "home"
        self.root = tmp / "project"
        self.worktrees = tmp / "state" / "worktrees"
        self.home.mkdir()
        self.root.mkdir()
        self.environment = ENVIRONMENT | {"HOME": str(self.home)}
        self.git = Git("lab", environment=self.environment)
        self.sh("init", "-q", "-b", "main")
        self.commit("first", {"readme": "hello\n", "src/a.py": "a = 1\n"})

    def sh(self, *args: str | bytes, cwd: Path | None = None, status: int | None = 0) -> str:
        env = self.environment | PERSON
        argv: list[str | bytes] = ["git", *args]
        ran = subprocess.run(argv, cwd=cwd or self.root, env=env, capture_output=True, check=False)
        assert status is None or ran.returncode == status, ran.stderr
        return os.fsdecode(ran.stdout).removesuffix("\n")

    def write(self, folder: Path, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, message: str, files: dict[str, str], cwd: Path | None = None) -> str:
        self.write(cwd or self.root, files)
        self.sh("add", "-A", cwd=cwd)
        self.sh("commit", "-q", "--allow-empty", "-m", message, cwd=cwd)
        return self.sh("rev-parse", "HEAD", cwd=cwd)

    def branch(self, name: str, files: dict[str, str], start: str = "main") -> str:
        """A branch with one commit on it; main stays checked out."""
        self.sh("checkout", "-q", "-b", name, start)
        commit = self.commit(f"work on {name}", files)
        self.sh("checkout", "-q", "main")
        return commit

    def workspace(self, item: str = "WRK-1") -> Workspace:
        return Workspace(self.root, self.worktrees / "demo" / item)

    async def prepare(
        self, item: str = "WRK-1", dependencies: Sequence[tuple[str, str]] = (), base: str = "main"
    ) -> Prepared:
        return await prepare_worktree(
            self.git,
            self.workspace(item),
            f"golem/{item}",
            base,
            dependencies,
            worktree_root=self.worktrees,
            keep_as=f"{item}.1",
        )

    def rev(self, name: str, cwd: Path | None = None) -> str:
        return self.sh("rev-parse", "-q", "--verify", name, cwd=cwd, status=None)

    def files(self, tree: str) -> dict[str, str]:
        """Path → content of a tree."""
        names = self.sh("ls-tree", "-r", "-z", "--name-only", tree).split("\0")[:-1]
        kinds = {name: self.sh("ls-tree", "-z", tree, "--", f":(literal){name}") for name in names}
        return {
            name: "gitlink" if kinds[name].startswith("160000") else self.sh("cat-file", "blob", f"{tree}:{name}")
            for name in names
        }

    def status(self, cwd: Path) -> list[str]:
        return self.sh("status", "--porcelain", "-z", "-uall", cwd=cwd).split("\0")[:-1]


def on_disk(folder: Path) -> dict[str, str]:
    """Path → content of the files in a folder, without git's own."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts)
    return {str(path.relative_to(folder)): path.read_text() for path in found}
