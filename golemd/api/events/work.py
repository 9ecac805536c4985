"""What becomes of the work: evidence, worktrees, commits, what is kept, and reports."""

from golemd.api.records import Event


class EvidenceRecorded(Event, frozen=True, kw_only=True):
    """What a verify command showed; `spends` is "fix" when it costs a fix attempt."""

    TYPE = "evidence.recorded"
    run: str
    phase: str
    attempt: str
    command: str
    outcome: str
    tree: str
    status: int | None = None
    duration_s: float = 0.0
    lines: tuple[str, ...] = ()
    spends: str = ""


class WorktreeMade(Event, frozen=True, kw_only=True):
    """A worktree is new: files were copied into it, and its setup commands come before anything else there."""

    TYPE = "worktree.made"
    run: str
    phase: str
    commands: int
    copied: int = 0
    warnings: tuple[str, ...] = ()
    rebuilt: bool = False  # with all that it held when it was set aside


class WorktreeWanted(Event, frozen=True, kw_only=True):
    """The next attempt of a phase under way needs its worktree, which is set aside."""

    TYPE = "worktree.wanted"
    run: str
    phase: str


class WorktreePrepared(Event, frozen=True, kw_only=True):
    """A setup command has succeeded; `left` are still to run."""

    TYPE = "worktree.prepared"
    run: str
    phase: str
    attempt: str
    command: str
    left: int


class WorktreeGone(Event, frozen=True, kw_only=True):
    """A worktree that was ready is not there any more: it is made again, and set up again."""

    TYPE = "worktree.gone"
    run: str


class CommitCreated(Event, frozen=True, kw_only=True):
    """The phase's work is in git, with that of phases that waited for it. `commit` is empty when there was nothing.

    `deferred`: in a shared workspace it stays in the tree for now, to be committed with what follows.
    """

    TYPE = "commit.created"
    run: str
    phase: str
    attempt: str
    head: str
    tree: str
    commit: str = ""
    message: str = ""
    files: int = 0
    insertions: int = 0
    deletions: int = 0
    deferred: bool = False


class WorkKept(Event, frozen=True, kw_only=True):
    """Uncommitted work is safe under `ref` (empty: there was none); `then` says what was done after that.

    Of a worktree that was set aside, `head`, `tree` and `staged` are what it comes back as; of one that was left
    standing, `listed` says why.
    """

    TYPE = "work.kept"
    run: str
    then: str  # put_back | removed | aside | left
    attempt: str = ""
    ref: str = ""
    commit: str = ""
    listed: tuple[str, ...] = ()
    head: str = ""
    tree: str = ""
    staged: str = ""


class ReportWritten(Event, frozen=True, kw_only=True):
    """The final report of a run is on disk, made of its item's records up to `through`; `digests` by file extension."""

    TYPE = "report.written"
    run: str
    through: int
    digests: dict[str, str]
