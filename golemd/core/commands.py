"""Commands: what `decide` answers. A client's call with the facts it needs, or what the daemon tells itself.

The daemon's own wishes and reports pass the same gate as the user's. Reports say what an effect found; they are keyed
by run or attempt, and a report that no longer fits (the run is over, the attempt is judged) changes nothing.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from golemd.api.calls import Call
from golemd.api.config import ProjectConfig
from golemd.api.model import Actor, Content, HaltReason, Item
from golemd.core.imports.entries import Backlog


class Command(Struct, frozen=True, kw_only=True):
    """The base of everything that can be decided."""


class Facts(Struct, frozen=True, kw_only=True):
    """What the shell looked up before the decision; only what the call needs is set.

    `warnings` and `problems` are for the answer; `gone` are the projects whose folder is not there any more.
    """

    root: str = ""
    common_dir: str = ""
    head_branch: str = ""
    config: ProjectConfig | None = None
    config_digest: str = ""
    configs: tuple[tuple[str, ProjectConfig, str], ...] = ()  # (project, configuration, digest)
    content: Content | None = None
    ended: Item | None = None
    wrote: bool = False
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    backlog: Backlog | None = None
    segments: tuple[tuple[int, int], ...] = ()  # of the journal: first record and bytes, the oldest first
    before: int = 0  # the record that a moment means


class Asked(Command, frozen=True, kw_only=True):
    """A client's call. `agent`: the attempt that the caller descends from, "unknown" for a vanished one, or empty."""

    call: Call[Any]
    actor: Actor = Actor()
    agent: str = ""
    facts: Facts = Facts()


# --- the daemon's wishes: what plan proposes ---------------------------------------------------------------------


class Promote(Command, frozen=True, kw_only=True):
    """A ready item goes in progress."""

    item: str


class Launch(Command, frozen=True, kw_only=True):
    """Start the item's next phase, or the next attempt of the one under way."""

    item: str


class PlanVerify(Command, frozen=True, kw_only=True):
    """Start the next verify command of the phase under way."""

    run: str


class PlanSetup(Command, frozen=True, kw_only=True):
    """Start the next setup command of a new worktree."""

    run: str


class AskBudget(Command, frozen=True, kw_only=True):
    """A budget is spent that the item's next agent would need: a human is asked."""

    item: str


class Unpark(Command, frozen=True, kw_only=True):
    """A provider's limit has passed."""

    provider: str


class Defer(Command, frozen=True, kw_only=True):
    """What the phase under way has done stays in the shared tree, and is committed with what follows."""

    run: str


class Halt(Command, frozen=True, kw_only=True):
    """End a dispatch for a reason that has come true."""

    project: str
    reason: HaltReason


# --- reports -----------------------------------------------------------------------------------------------------


class ReportDaemonStarted(Command, frozen=True, kw_only=True):
    version: str
    pid: int
    boot_id: str
    repaired: tuple[str, int, int, str, int] | None = None  # file, offset, cut bytes, copy, last seq


class ReportDaemonStopped(Command, frozen=True, kw_only=True):
    reason: str


class ReportEntered(Command, frozen=True, kw_only=True):
    """The workspace is ready, and this is where the phase begins."""

    run: str
    base_branch: str
    base_commit: str
    branch: str
    workspace: str
    head: str
    tree: str
    refs: str = ""
    environment: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # earlier phases whose commits are not in the history
    copied: int = 0
    warnings: tuple[str, ...] = ()


class ReportMade(Command, frozen=True, kw_only=True):
    """A worktree that was set aside is back, with all that it held."""

    run: str
    copied: int = 0
    warnings: tuple[str, ...] = ()


class ReportGone(Command, frozen=True, kw_only=True):
    """The worktree of a run, which had been made ready, is not there any more."""

    run: str


class ReportTrouble(Command, frozen=True, kw_only=True):
    """An effect of a run failed in a way that only a human can mend."""

    run: str
    doing: str
    message: str
    hint: str = ""


class ReportSpawned(Command, frozen=True, kw_only=True):
    attempt: str
    pid: int
    start: int
    shim_pid: int
    boot_id: str
    session: str = ""
    adopted: bool = False


class ReportNotSpawned(Command, frozen=True, kw_only=True):
    """The attempt could not be started. `usable` is False when trying again cannot help."""

    attempt: str
    message: str
    usable: bool = True


class ReportExit(Command, frozen=True, kw_only=True):
    attempt: str
    status: int | None = None
    signal: int | None = None
    reason: str = ""
    errno: int | None = None
    duration_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_kb: int = 0
    ended_descendants: int = 0
    oom_kills: int = 0
    memory_limit_mb: int = 0


class Said(Struct, frozen=True, kw_only=True):
    """What an agent's program said of itself in its output; empty for programs that say nothing.

    `answer`: its structured final answer, as a result file would hold it, which counts only with `success`.
    """

    session: str = ""
    model: str = ""
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    answer: bytes | None = None
    success: bool = False
    trouble: str = ""  # transient | limit | budget | agent | fatal
    message: str = ""
    reset_us: int = 0
    cannot_resume: bool = False


class ReportLost(Command, frozen=True, kw_only=True):
    attempt: str
    reason: str
    said: Said = Said()


class ReportExamined(Command, frozen=True, kw_only=True):
    """What an ended attempt left: its result file (None: there is none), the tree, decisive lines of its output.

    `trouble` says what is wrong with the repository: another branch, rewritten history, refs of others moved.
    """

    attempt: str
    result: bytes | None = None
    result_problem: str = ""
    head: str = ""
    tree: str = ""
    trouble: str = ""
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()  # files that an attempt in a shared tree has changed
    nested: tuple[str, ...] = ()  # repositories inside, of whose files a commit would hold nothing
    said: Said = Said()
    error: str = ""  # what spawning said, where the program never ran


class ReportCommitted(Command, frozen=True, kw_only=True):
    run: str
    attempt: str
    head: str
    tree: str
    commit: str = ""
    message: str = ""
    files: int = 0
    insertions: int = 0
    deletions: int = 0


class ReportNotified(Command, frozen=True, kw_only=True):
    """Somebody was told of an open gate; `message`: why nobody could be, after so many tries."""

    gate: str
    tries: int
    message: str = ""


class ReportFiled(Command, frozen=True, kw_only=True):
    """The final report of a run is on disk."""

    run: str
    through: int
    digests: dict[str, str]


class ReportFlushed(Command, frozen=True, kw_only=True):
    """What had waited in a shared tree is committed."""

    run: str
    head: str
    commit: str = ""
    message: str = ""
    files: int = 0
    insertions: int = 0
    deletions: int = 0


class ReportKept(Command, frozen=True, kw_only=True):
    run: str
    then: str
    attempt: str = ""
    ref: str = ""
    commit: str = ""
    listed: tuple[str, ...] = ()
    head: str = ""
    tree: str = ""
    staged: str = ""
