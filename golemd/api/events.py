"""Facts, in the past tense; `records` has what they have in common.

Rules. Every event has an explicit TYPE, which is what the journal holds and never changes. New fields have defaults. A
changed meaning is a new TYPE; the old shape stays at the end of this file and `core.upcast` turns it into today's.
What an event does to the state is said in `core.evolve`, and nowhere else.
"""

from typing import Final

from msgspec import field

from golemd.api.config import Pipeline, ProjectConfig
from golemd.api.model import (
    Actor,
    Assessments,
    AttemptKind,
    Brief,
    Content,
    Finding,
    FollowUp,
    GateKind,
    HaltReason,
    NoteKind,
    Option,
    Outcome,
    Past,
    Resolution,
    ResultCode,
    Stage,
    Status,
)
from golemd.api.records import Draft as Draft
from golemd.api.records import Event as Event
from golemd.api.records import Record as Record
from golemd.api.records import as_line as as_line


class DaemonStarted(Event, frozen=True, kw_only=True):
    TYPE = "daemon.started"
    version: str
    pid: int
    boot_id: str


class DaemonStopped(Event, frozen=True, kw_only=True):
    TYPE = "daemon.stopped"
    reason: str = ""


class JournalRepaired(Event, frozen=True, kw_only=True):
    """A damaged or torn end was cut; what was cut is kept in `copy`."""

    TYPE = "journal.repaired"
    file: str
    offset: int
    cut_bytes: int
    copy: str
    last_seq: int


class JournalPruned(Event, frozen=True, kw_only=True):
    """A user has had the oldest segments removed: the journal begins with record `first`, which a snapshot covers."""

    TYPE = "journal.pruned"
    first: int
    segments: int
    bytes: int
    actor: Actor = Actor()


class ProjectRegistered(Event, frozen=True, kw_only=True):
    TYPE = "project.registered"
    name: str
    root: str
    common_dir: str
    prefix: str
    base_branch: str


class ProjectConfigured(Event, frozen=True, kw_only=True):
    """This configuration is in force from here on."""

    TYPE = "project.configured"
    config: ProjectConfig
    digest: str
    by: str = ""


class ProjectRemoved(Event, frozen=True, kw_only=True):
    TYPE = "project.removed"
    reason: str = ""


class DispatchStarted(Event, frozen=True, kw_only=True):
    TYPE = "dispatch.started"
    cap: int
    used: int = 0
    continuous: bool = False
    targets: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    auto_advance: bool = False
    then_rest: bool = False
    triage: bool = False
    actor: Actor = Actor()


class DispatchHalted(Event, frozen=True, kw_only=True):
    TYPE = "dispatch.halted"
    reason: HaltReason
    now: bool = False
    actor: Actor = Actor()


class BreakerTripped(Event, frozen=True, kw_only=True):
    """So many phases in a row could not go on by themselves that something more general is wrong."""

    TYPE = "breaker.tripped"
    failures: int


class BreakerReset(Event, frozen=True, kw_only=True):
    """A human starts again."""

    TYPE = "breaker.reset"


class ItemAdded(Event, frozen=True, kw_only=True):
    TYPE = "item.added"
    title: str
    number: int
    status: Status
    pipeline: str
    description: str = ""
    priority: int = 0
    labels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    base: str = ""
    vars: dict[str, str] = field(default_factory=dict)
    actor: Actor = Actor()
    assessments: Assessments = Assessments()
    origin: str = ""
    depth: int = 0
    # what came from elsewhere, and stood somewhere already
    brief: Brief = Brief()
    approved: Assessments = Assessments()
    phase: str = ""  # where its pipeline begins
    paused: bool = False
    resolution: str = ""
    summary: str = ""
    created_at: str = ""
    updated_at: str = ""
    source: str = ""  # what it was called there, where that is not its id
    mark: str = ""  # a digest of what it was there
    history: tuple[Past, ...] = ()
    extra: dict[str, str] = field(default_factory=dict)  # keys that golemd has no place for: JSON texts


class ItemEdited(Event, frozen=True, kw_only=True):
    """None means unchanged."""

    TYPE = "item.edited"
    title: str | None = None
    description: str | None = None
    priority: int | None = None
    labels: tuple[str, ...] | None = None
    dependencies: tuple[str, ...] | None = None
    pipeline: str | None = None
    base: str | None = None
    assessments: Assessments | None = None
    actor: Actor = Actor()


class ItemTriaged(Event, frozen=True, kw_only=True):
    """What triage found out. `pipeline`: the one it chose, if it is one; `duplicates`: items that say the same."""

    TYPE = "item.triaged"
    attempt: str
    assessments: Assessments = Assessments()
    brief: Brief = Brief()
    pipeline: str = ""
    duplicates: tuple[str, ...] = ()


class ItemMoved(Event, frozen=True, kw_only=True):
    TYPE = "item.moved"
    to: Status
    reason: str = ""


class ItemCancelled(Event, frozen=True, kw_only=True):
    TYPE = "item.cancelled"
    resolution: Resolution
    reason: str = ""
    duplicate_of: str = ""
    actor: Actor = Actor()


class ItemReopened(Event, frozen=True, kw_only=True):
    """The item begins anew; `facts` of an ended item are brought back from its records."""

    TYPE = "item.reopened"
    status: Status
    description: str = ""
    vars: dict[str, str] = field(default_factory=dict)
    brief: Brief = Brief()
    extra: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    actor: Actor = Actor()


class ItemCompleted(Event, frozen=True, kw_only=True):
    TYPE = "item.completed"
    commit: str = ""


class RunCreated(Event, frozen=True, kw_only=True):
    TYPE = "run.created"
    run: str
    number: int
    pipeline: Pipeline
    config_digest: str


class RunBound(Event, frozen=True, kw_only=True):
    """Pins what the run depends on: later changes of golem.toml affect later runs only."""

    TYPE = "run.bound"
    run: str
    pipeline: Pipeline
    pipeline_digest: str
    config_digest: str
    bindings: dict[str, str]  # agent name → digest of its definition
    inputs_digest: str
    base_branch: str
    base_commit: str
    branch: str
    workspace: str
    environment: tuple[str, ...] = ()  # names of passed variables, never values


class RunPaused(Event, frozen=True, kw_only=True):
    """The item is held back; `after_phase` names the phase that is let finish first. `run` is empty without one."""

    TYPE = "run.paused"
    run: str = ""
    after_phase: str = ""
    actor: Actor = Actor()


class RunResumed(Event, frozen=True, kw_only=True):
    TYPE = "run.resumed"
    run: str = ""
    actor: Actor = Actor()


class RunCompleted(Event, frozen=True, kw_only=True):
    TYPE = "run.completed"
    run: str
    commit: str = ""


class RunFailed(Event, frozen=True, kw_only=True):
    TYPE = "run.failed"
    run: str
    reason: str


class RunAborted(Event, frozen=True, kw_only=True):
    TYPE = "run.aborted"
    run: str
    reason: str


class PhaseStarted(Event, frozen=True, kw_only=True):
    TYPE = "phase.started"
    run: str
    phase: str
    index: int


class PhaseVerifying(Event, frozen=True, kw_only=True):
    """An accepted result's tree is checked by the daemon's own commands, `commands` in number."""

    TYPE = "phase.verifying"
    run: str
    phase: str
    tree: str
    commands: int


class PhaseCompleted(Event, frozen=True, kw_only=True):
    TYPE = "phase.completed"
    run: str
    phase: str
    summary: str = ""
    commit: str = ""


class PhaseFailed(Event, frozen=True, kw_only=True):
    """A bound was reached; a gate asks what to do."""

    TYPE = "phase.failed"
    run: str
    phase: str
    reason: str


class PhaseSkipped(Event, frozen=True, kw_only=True):
    TYPE = "phase.skipped"
    run: str
    phase: str
    reason: str = ""
    actor: Actor = Actor()


class PhaseReset(Event, frozen=True, kw_only=True):
    """The phase is pending again. `note` goes into the next prompt; `renew` gives all budgets again.

    `back`: the run goes back to before this phase, which begins anew; `afresh`: on the tree that is there then, since
    the history it had begun at is gone. `accept_stale`: a human lets it begin though earlier work is gone.
    """

    TYPE = "phase.reset"
    run: str
    phase: str
    reason: str
    note_kind: NoteKind | None = None
    note: str = ""
    renew: bool = False
    stage: Stage = Stage.ENTER
    back: bool = False
    afresh: bool = False
    accept_stale: bool = False
    actor: Actor = Actor()


class PhasePlanned(Event, frozen=True, kw_only=True):
    """What is ahead of a run that is not bound yet follows this pipeline; phases that are over stay as they are."""

    TYPE = "phase.planned"
    run: str
    pipeline: Pipeline
    config_digest: str


class AttemptPlanned(Event, frozen=True, kw_only=True):
    """The intent to start a process; durable before anything is started. `start_head/tree`: where its phase began."""

    TYPE = "attempt.planned"
    attempt: str
    run: str
    phase: str
    number: int
    kind: AttemptKind
    agent: str = ""
    command: str = ""
    purpose: str = ""
    start_head: str = ""
    start_tree: str = ""
    start_refs: str = ""
    warnings: tuple[str, ...] = ()


class AttemptSpawned(Event, frozen=True, kw_only=True):
    TYPE = "attempt.spawned"
    attempt: str
    pid: int
    start: int
    shim_pid: int
    boot_id: str
    session: str = ""


class AttemptSession(Event, frozen=True, kw_only=True):
    """The session of the agent's program; an empty one has no future, so the next attempt begins a new one."""

    TYPE = "attempt.session"
    attempt: str
    session: str
    model: str = ""


class AttemptAdopted(Event, frozen=True, kw_only=True):
    TYPE = "attempt.adopted"
    attempt: str
    pid: int


class AttemptExited(Event, frozen=True, kw_only=True):
    """The durable exit record: `reason` is empty when the program ended by itself.

    `oom_kills`: how many of its processes the kernel has ended for memory; `memory_limit_mb`: the attempt's own limit,
    if it was that which was reached.
    """

    TYPE = "attempt.exited"
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


class AttemptAccepted(Event, frozen=True, kw_only=True):
    """The result is valid; only `phase.completed` means verified."""

    TYPE = "attempt.accepted"
    attempt: str
    result: ResultCode
    summary: str = ""
    context: str = ""
    question: str = ""
    question_kind: str = ""
    commit_summary: str = ""
    assessments: Assessments = Assessments()
    findings: tuple[Finding, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    warnings: tuple[str, ...] = ()
    head: str = ""
    tree: str = ""
    spends: str = ""
    again_us: int = 0
    put_back: bool = False


class AttemptRejected(Event, frozen=True, kw_only=True):
    """`spends`: which budget it costs; `again_us`: not before this moment is the next attempt started."""

    TYPE = "attempt.rejected"
    attempt: str
    outcome: Outcome
    message: str
    spends: str = ""
    again_us: int = 0
    put_back: bool = False


class AttemptLost(Event, frozen=True, kw_only=True):
    """Neither the process nor its exit record exists. Never success; its leftovers were ended first."""

    TYPE = "attempt.lost"
    attempt: str
    reason: str
    again_us: int = 0


class GateOpened(Event, frozen=True, kw_only=True):
    TYPE = "gate.opened"
    gate: str
    run: str
    phase: str
    kind: GateKind
    key: str
    question: str
    options: tuple[Option, ...]
    default: str = ""
    content: Content = Content()
    attempt: str = ""
    opened_at: str = ""  # before it was recorded here


class GateDecided(Event, frozen=True, kw_only=True):
    TYPE = "gate.decided"
    gate: str
    option: str
    text: str = ""
    actor: Actor = Actor()
    token: str = ""


class GateSuperseded(Event, frozen=True, kw_only=True):
    TYPE = "gate.superseded"
    gate: str
    reason: str


class GateNotified(Event, frozen=True, kw_only=True):
    """Somebody was told that the gate is open, or, when `message` says why not, that was tried in vain."""

    TYPE = "gate.notified"
    gate: str
    tries: int = 1
    message: str = ""


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


class BudgetSpent(Event, frozen=True, kw_only=True):
    """What an attempt has cost, as its program says. `input_tokens` holds all that was read, cached or not."""

    TYPE = "budget.spent"
    attempt: str
    agent: str
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0


class BudgetRaised(Event, frozen=True, kw_only=True):
    """A human raised what may be spent, by `usd` or `tokens`, to `limit`. `scope` is the budget's key in golem.toml."""

    TYPE = "budget.raised"
    gate: str
    scope: str
    limit: float
    run: str = ""
    phase: str = ""
    usd: float = 0.0
    tokens: int = 0


class ProviderParked(Event, frozen=True, kw_only=True):
    """The account behind an agent is used up for now: its attempts wait until then, others go on."""

    TYPE = "provider.parked"
    provider: str
    until_us: int
    streak: int
    reason: str = ""


class ProviderAvailable(Event, frozen=True, kw_only=True):
    TYPE = "provider.available"
    provider: str


class ReportWritten(Event, frozen=True, kw_only=True):
    """The final report of a run is on disk, made of its item's records up to `through`; `digests` by file extension."""

    TYPE = "report.written"
    run: str
    through: int
    digests: dict[str, str]


EVENTS: Final[dict[str, type[Event]]] = {event.TYPE: event for event in Event.__subclasses__()}
