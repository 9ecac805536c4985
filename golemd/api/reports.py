"""The final report of a run: what it was pinned to, what happened, who decided what, what it cost, what is left.

`golemd.core.report` makes it of the item's records and nothing else, so the same journal gives the same bytes. It is
the content of `<state>/reports/<run>.json`: names and shapes are contract, and FORMAT changes when one does. A field
that has nothing to say is None; times are RFC 3339 UTC, durations seconds; digests of pins are SHA-256.
"""

from typing import Any, Final

from msgspec import Struct

from golemd.api.parts import Assessments, Brief, Evidence, Finding, FollowUp
from golemd.api.views import GateView

FORMAT: Final = "golem/report@1"


class Pins(Struct, frozen=True, kw_only=True):
    """All that the run depends on, fixed when it was bound; what is None was not pinned yet."""

    pipeline: str
    pipeline_digest: str | None
    config_digest: str
    base_branch: str | None
    base_commit: str | None
    branch: str | None
    workspace: str | None
    environment: tuple[str, ...] = ()  # names of passed variables, never values


class Inputs(Struct, frozen=True, kw_only=True):
    """What the item asked for. `digest`: of title, description, variables and base, as the run was bound to them.

    `origin`: the item and phase that it followed from; `brief`: what triage made of it.
    """

    title: str
    description: str
    origin: str | None
    brief: Brief
    labels: tuple[str, ...]
    dependencies: tuple[str, ...]
    vars: dict[str, str]
    base: str | None
    assessments: Assessments
    digest: str | None


class Binding(Struct, frozen=True, kw_only=True):
    """An agent that worked on the run, and for which phases. `digest`: of its whole definition."""

    agent: str
    kind: str | None
    model: str | None
    permissions: str | None
    digest: str | None
    phases: tuple[str, ...]


class ReportedAttempt(Struct, frozen=True, kw_only=True):
    """One child process. `outcome`: what was made of it; `message`: why, or what it said of itself."""

    id: str
    kind: str
    agent: str | None
    model: str | None
    command: str | None
    state: str
    outcome: str | None
    message: str | None
    status: int | None
    signal: int | None
    planned_at: str
    started_at: str | None
    ended_at: str | None
    duration_s: float
    cpu_s: float
    max_rss_kb: int
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    adopted: bool


class ReportedPhase(Struct, frozen=True, kw_only=True):
    """One phase. `summary` is what its agent claims; `busy_s`: how long its processes ran in all."""

    name: str
    state: str
    reason: str | None
    summary: str | None
    commit: str | None
    started_at: str | None
    ended_at: str | None
    busy_s: float
    attempts: tuple[ReportedAttempt, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]


class ReportedEvidence(Evidence, frozen=True, kw_only=True):
    """What one verify command showed, in a phase."""

    phase: str


class ReportedCommit(Struct, frozen=True, kw_only=True):
    """A commit that golemd made. An agent's own commits lie between them."""

    phase: str
    attempt: str
    commit: str
    tree: str
    message: str
    files: int
    insertions: int
    deletions: int
    at: str


class Diff(Struct, frozen=True, kw_only=True):
    """The sums over the commits; a file that several of them changed counts in each."""

    commits: int
    files: int
    insertions: int
    deletions: int


class Cost(Struct, frozen=True, kw_only=True):
    """What the agents' programs say they cost; `unknown`: attempts of agents that said nothing."""

    usd: float
    input_tokens: int
    output_tokens: int
    attempts: int
    unknown: int


class KeptWork(Struct, frozen=True, kw_only=True):
    """Uncommitted work that is safe under a ref; `listed` was too large, or ignored by git, and is named only."""

    attempt: str | None
    ref: str | None
    commit: str | None
    listed: tuple[str, ...]
    at: str


class Report(Struct, frozen=True, kw_only=True):
    """The report of a run. It is `finished` when the run is over and all of it has been put away.

    `through` is the last record that it covers, `at` that record's time.
    """

    format: str = FORMAT
    run: str
    item: str
    project: str
    state: str
    reason: str | None
    resolution: str | None
    finished: bool
    created_at: str
    ended_at: str | None
    through: int
    at: str
    pins: Pins
    inputs: Inputs
    bindings: tuple[Binding, ...]
    phases: tuple[ReportedPhase, ...]
    gates: tuple[GateView, ...]
    evidence: tuple[ReportedEvidence, ...]
    commits: tuple[ReportedCommit, ...]
    diff: Diff
    kept: tuple[KeptWork, ...]
    follow_ups: tuple[FollowUp, ...]
    cost: Cost
    unresolved: tuple[str, ...]
    events: tuple[dict[str, Any], ...]


class ReportView(Struct, frozen=True, kw_only=True):
    """A report as data and as Markdown. `path`: the Markdown file, when it has been written."""

    path: str | None
    report: Report
    markdown: str
