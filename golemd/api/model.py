"""The nouns: frozen values without handles. State is made of these; `golemd.api.views` says how they are shown.

Ids read from left to right: item `WRK-42`, its run `WRK-42.1`, a phase of it `WRK-42.1.build`, an attempt
`WRK-42.1.build.2`, a node's attempt `WRK-42.1.build.verify_1.2`, a gate `WRK-42.g3`.
Times called `…_at` are RFC 3339 strings taken from records; those called `…_us` are microseconds since the epoch.
"""

from msgspec import Struct

from golemd.api.config import Pipeline
from golemd.api.parts import Actor as Actor
from golemd.api.parts import Assessments as Assessments
from golemd.api.parts import Brief as Brief
from golemd.api.parts import Content as Content
from golemd.api.parts import Evidence as Evidence
from golemd.api.parts import Finding as Finding
from golemd.api.parts import FollowUp as FollowUp
from golemd.api.parts import Option as Option
from golemd.api.parts import Past as Past
from golemd.api.states import ATTEMPT_OVER as ATTEMPT_OVER
from golemd.api.states import ENDED as ENDED
from golemd.api.states import PHASE_OVER as PHASE_OVER
from golemd.api.states import RUN_OVER as RUN_OVER
from golemd.api.states import SAID_BY_PEOPLE as SAID_BY_PEOPLE
from golemd.api.states import AttemptKind as AttemptKind
from golemd.api.states import AttemptState as AttemptState
from golemd.api.states import GateKind as GateKind
from golemd.api.states import HaltReason as HaltReason
from golemd.api.states import NoteKind as NoteKind
from golemd.api.states import Outcome as Outcome
from golemd.api.states import Pause as Pause
from golemd.api.states import PhaseState as PhaseState
from golemd.api.states import Resolution as Resolution
from golemd.api.states import ResultCode as ResultCode
from golemd.api.states import RunState as RunState
from golemd.api.states import Stage as Stage
from golemd.api.states import Status as Status
from golemd.api.states import WorktreeState as WorktreeState


class Decision(Struct, frozen=True):
    """What a human decided, who, and when."""

    option: str
    text: str
    actor: Actor
    token: str
    at: str


class Gate(Struct, frozen=True):
    """A question that only a human may answer."""

    id: str
    item: str
    run: str
    phase: str
    kind: GateKind
    key: str
    question: str
    options: tuple[Option, ...]
    default: str
    content: Content
    attempt: str
    opened_at: str
    decision: Decision | None = None
    superseded: bool = False
    notified: str = ""  # sent | failed; empty: nobody has been told of it yet
    in_place: bool = False  # its run has no branch of its own: its work is on the one that is checked out

    @property
    def is_open(self) -> bool:
        return self.decision is None and not self.superseded


class Note(Struct, frozen=True):
    """Something that happened in a phase and that its next prompt must say."""

    kind: NoteKind
    text: str
    attempt: str = ""


class Attempt(Struct, frozen=True):
    """One child process of a phase. `again_us`: not before this moment is the next one started."""

    id: str
    item: str
    run: str
    phase: str
    number: int
    kind: AttemptKind
    agent: str
    command: str
    state: AttemptState
    planned_at: str
    pid: int = 0
    boot_id: str = ""
    started_at: str = ""
    ended_at: str = ""
    adopted: bool = False
    status: int | None = None
    signal: int | None = None
    reason: str = ""
    outcome: str = ""
    message: str = ""
    duration_s: float = 0.0
    session: str = ""
    model: str = ""
    cost_usd: float = 0.0
    tokens: int = 0
    oom_kills: int = 0
    memory_limit_mb: int = 0


class Provider(Struct, frozen=True):
    """An account behind an agent. `until_us`: parked until then, 0 while it is available; `streak`: limits in a row."""

    name: str
    until_us: int = 0
    streak: int = 0
    reason: str = ""


class Aside(Struct, frozen=True):
    """What a worktree held when it was set aside: HEAD, the trees of its files and of what was staged, the kept ref."""

    head: str
    tree: str
    staged: str
    ref: str = ""
    at: str = ""


class Phase(Struct, frozen=True):
    """One entry of the pipeline within a run: its state, its budgets, and what its next prompt must say."""

    name: str
    state: PhaseState = PhaseState.PENDING
    stage: Stage = Stage.ENTER
    number: int = 0  # agent attempts planned so far; goes on rising over resets
    verified: int = 0  # verify attempts planned so far
    set_up: int = 0  # setup attempts planned so far
    resumes: bool = False  # it is entered in its middle: where it began stays as it was
    retries: int = 0
    fixes: int = 0
    rounds: int = 0
    lost_in_row: int = 0
    transient_in_row: int = 0
    again_us: int = 0
    live: str = ""  # the attempt under way
    session: str = ""  # of the agent's program, to be gone on with
    put_back: str = ""  # the attempt whose leftovers must be kept, and the tree put back, before the next one
    start_head: str = ""
    start_tree: str = ""
    start_refs: str = ""  # the state of all branches and tags then
    base_tree: str = ""  # what the next commit is the difference from
    tree: str = ""  # what verify looks at, and what is committed
    command: int = 0  # index of the next verify command
    commands: int = 0  # how many there are
    accepted: str = ""  # the attempt whose result stands
    stale_accepted: bool = False  # a human let it begin though the work of an earlier phase is gone
    commit: str = ""
    summary: str = ""
    commit_summary: str = ""
    more_rounds: bool = False  # the accepted result ends a round, not the phase
    question: str = ""  # the accepted result asks this instead of completing
    approvals: tuple[tuple[str, str], ...] = ()  # (gate key, tree that was approved)
    notes: tuple[Note, ...] = ()
    warnings: tuple[str, ...] = ()
    uncopied: tuple[str, ...] = ()  # what its worktree could not be given, in sentences
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    started_at: str = ""
    ended_at: str = ""
    spent_usd: float = 0.0
    raised_usd: float = 0.0  # by a human, above its budget


class Run(Struct, frozen=True):
    """One passage of an item through a pipeline, with all that it depends on pinned."""

    id: str
    item: str
    project: str
    number: int
    state: RunState
    pipeline: Pipeline
    config_digest: str  # of the project's configuration that this run is pinned to
    phases: tuple[Phase, ...]
    index: int = 0  # the phase that is next or under way
    pipeline_digest: str = ""
    base_branch: str = ""
    base_commit: str = ""
    branch: str = ""
    workspace: str = ""
    worktree: WorktreeState = WorktreeState.UNKNOWN
    setup: int = 0  # index of the next setup command, while the worktree is new
    aside: Aside | None = None  # while the worktree is set aside
    head: str = ""
    follow_ups: tuple[FollowUp, ...] = ()  # the newest that its agents' results named; so many of all became items
    follow_ups_added: int = 0  # also while they ran, as the records of those items tell
    uncommitted: tuple[str, ...] = ()  # phases whose work is in a shared tree, to be committed together
    since_head: str = ""  # where the first of them began …
    since_tree: str = ""
    until_attempt: str = ""  # … and how the last of them ended, which may have been gone back over since
    until_tree: str = ""
    tidy: bool = False  # its workspace is to be set aside, and is not yet
    created_at: str = ""
    ended_at: str = ""
    reported: bool = False  # its final report is on disk

    @property
    def phase(self) -> Phase:
        return self.phases[self.index] if self.index < len(self.phases) else self.phases[-1]

    def became(self, phase: Phase) -> PhaseState:
        """Where a phase stands. What a run that is over has not finished waits for nobody: it has failed, or was left
        out where it never began.
        """
        if self.state not in RUN_OVER or phase.state in PHASE_OVER:
            return phase.state
        return PhaseState.FAILED if phase.started_at or phase.number else PhaseState.SKIPPED

    @property
    def is_in_place(self) -> bool:
        """Whether it works on the branch that it began from, as in a shared workspace, and so has none of its own."""
        return bool(self.branch) and self.branch == self.base_branch

    @property
    def takes_base_afresh(self) -> bool:
        """Whether the item was promoted and nothing is committed yet: then it begins at today's base."""
        promoted = self.index == self.pipeline.promoted_at > 0
        return promoted and self.phase.number == 0 and self.head == self.base_commit

    @property
    def live(self) -> str:
        """The one attempt of the run that is not over; empty when there is none."""
        return next((phase.live for phase in self.phases if phase.live), "")

    @property
    def leaving(self) -> str:
        """The live attempt, when its phase was left: it only has to end, and what it leaves is put back."""
        for phase in self.phases:
            if phase.live and phase.state is not PhaseState.RUNNING and phase.state is not PhaseState.VERIFYING:
                return phase.live
        return ""


class Item(Struct, frozen=True):
    """One unit of the backlog. `order` is the sequence number of its first record."""

    id: str
    project: str
    title: str
    order: int
    status: Status
    pipeline: str
    description: str = ""
    priority: int = 0
    labels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    base: str = ""
    vars: dict[str, str] = {}
    assessments: Assessments = Assessments()
    approved: Assessments = Assessments()  # a human let it pass the guardrails up to here
    brief: Brief = Brief()
    origin: str = ""  # of a follow-up: the item and phase that named it, WRK-1/build
    depth: int = 0  # how many generations of follow-ups it is away from what a human added
    came_from: Status = Status.NEW  # while blocked: the status to return to
    run: str = ""
    runs: int = 0
    gates: int = 0
    resolution: str = ""
    branch: str = ""  # of its last run: what dependants build upon
    summary: str = ""  # of the last phase of a completed run: what dependants are told
    created_at: str = ""
    updated_at: str = ""
    begin: str = ""  # the phase at which its first run begins, where it came from elsewhere in the middle of one
    source: str = ""  # what it was called there, where that is not its id
    mark: str = ""  # a digest of what it was there
    extra: dict[str, str] = {}  # what golemd has no place for, from there: JSON texts by key
    paused: Pause = Pause.NONE
    spent_usd: float = 0.0  # over all of its runs, as what follows
    spent_tokens: int = 0
    raised_usd: float = 0.0  # by a human, above its budget
    raised_tokens: int = 0
    reason: str = ""  # of who cancelled it
    twins: tuple[str, ...] = ()  # items that its triage suspects to say the same

    @property
    def is_held(self) -> bool:
        """Whether it is paused: nothing of it is started until it is resumed."""
        return self.paused is Pause.HELD


class EndedItem(Struct, frozen=True, array_like=True):
    """What stays in memory of an item that is done or cancelled; its records stay in the journal."""

    id: str
    project: str
    title: str
    order: int
    status: Status
    resolution: str
    branch: str
    run: str
    runs: int
    gates: int
    priority: int
    pipeline: str
    base: str
    labels: tuple[str, ...]
    dependencies: tuple[str, ...]
    assessments: Assessments
    created_at: str
    updated_at: str
    approved: Assessments = Assessments()
    origin: str = ""
    depth: int = 0
    summary: str = ""
    source: str = ""
    mark: str = ""
    spent_usd: float = 0.0
    spent_tokens: int = 0
    raised_usd: float = 0.0
    raised_tokens: int = 0
    reason: str = ""


class Dispatch(Struct, frozen=True):
    """The mandate to work on a project. `used` counts phases started under it."""

    on: bool = False
    cap: int = 0
    used: int = 0
    continuous: bool = False
    halt_reason: str = ""
    stop_now: bool = False  # halted with the wish that running attempts end too
    started_at: str = ""
    seq: int = 0  # of the record that started it
    targets: tuple[str, ...] = ()  # only these, one after the other
    only: tuple[str, ...] = ()  # only what these words mean
    auto_advance: bool = False  # a target that waits for a human is passed over
    then_rest: bool = False  # everything else follows the targets
    triage: bool = False  # new items are triaged, and nothing else is started


class Project(Struct, frozen=True):
    """A repository with a golem.toml, registered with this daemon."""

    name: str
    root: str
    common_dir: str
    prefix: str
    base_branch: str = ""
    config_digest: str = ""
    next_number: int = 1
    dispatch: Dispatch = Dispatch()
    failures: int = 0  # phases in a row that could not go on by themselves: what the circuit breaker counts
