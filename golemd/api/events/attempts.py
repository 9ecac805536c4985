"""What happens to attempts."""

from golemd.api.model import Assessments, AttemptKind, Finding, FollowUp, Outcome, ResultCode
from golemd.api.records import Event


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
