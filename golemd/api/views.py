"""What replies look like: the nouns as people and programs are shown them. Names and shapes are contract.

A field that has nothing to say is None (null), never an empty string; times are RFC 3339 UTC.
"""

from typing import Any

from msgspec import Struct

from golemd.api.parts import Actor, Brief, Content, Evidence, Finding, FollowUp, Option, Past
from golemd.api.record_views import FollowStarted as FollowStarted
from golemd.api.record_views import LogView as LogView
from golemd.api.record_views import Pruned as Pruned
from golemd.api.record_views import RecordsView as RecordsView
from golemd.api.record_views import VerifyView as VerifyView
from golemd.api.record_views import WorklogView as WorklogView


class ItemFields(Struct, frozen=True, kw_only=True):
    """What every view of an item says. `why`: one sentence on why it does not run; `gate`: the oldest open one;
    `pauses_after`: the phase that is let finish before it is paused; `reason`: why it was cancelled. Money and
    tokens count over all of its runs.
    """

    id: str
    project: str
    title: str
    status: str
    pipeline: str
    phase: str | None = None
    priority: int = 0
    size: str | None = None
    complexity: str | None = None
    risk: str | None = None
    impact: str | None = None
    labels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    gate: str | None = None
    run: str | None = None
    resolution: str | None = None
    why: str | None = None
    created_at: str = ""
    updated_at: str = ""
    repeated: bool = False
    note: str | None = None
    description: str = ""
    paused: bool = False
    pauses_after: str | None = None
    spent_usd: float = 0.0
    spent_tokens: int = 0
    budget_usd: float | None = None
    budget_tokens: int | None = None
    origin: str | None = None
    reason: str | None = None


class ItemView(ItemFields, frozen=True, kw_only=True):
    """An item as every command about one item answers it. `gates`: the ids of its open gates, oldest first.

    Where many are listed, their descriptions are left out.
    """

    gates: tuple[str, ...] = ()


class OptionView(Option, frozen=True):
    """One way to decide a gate, and what happens then."""

    effect: str = ""


class DecisionView(Struct, frozen=True, kw_only=True):
    """What was decided, by whom, when."""

    option: str
    text: str = ""
    actor: Actor = Actor()
    token: str = ""
    at: str = ""


class GateView(Struct, frozen=True, kw_only=True):
    """A gate: what is asked, how it can be decided, and the exact content it is about. `notified`: sent or failed."""

    id: str
    item: str
    kind: str
    key: str
    question: str
    options: tuple[OptionView, ...]
    default: str | None
    content: Content
    digest: str
    attempt: str | None
    opened_at: str
    phase: str | None = None
    state: str = "open"
    decision: DecisionView | None = None
    notified: str | None = None


class AttemptView(Struct, frozen=True, kw_only=True):
    """One child process. `pid` is the program's own; `tail` is at most three clean lines of its output."""

    id: str
    item: str
    phase: str
    number: int
    agent: str | None
    model: str | None = None
    state: str
    pid: int | None = None
    started_at: str | None = None
    adopted: bool = False
    cost_usd: float | None = None
    last_output_at: str | None = None
    tail: tuple[str, ...] = ()
    kind: str = "agent"
    command: str | None = None
    status: int | None = None
    signal: int | None = None
    outcome: str | None = None
    message: str | None = None
    duration_s: float | None = None
    ended_at: str | None = None


class PhaseView(Struct, frozen=True, kw_only=True):
    """One phase of a run. `budget_usd`: what it may spend in this run, with what a human added."""

    id: str
    run: str
    name: str
    state: str
    summary: str | None = None
    commit: str | None = None
    attempts: int = 0
    started_at: str | None = None
    ended_at: str | None = None
    warnings: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    spent_usd: float = 0.0
    budget_usd: float | None = None


class RunView(Struct, frozen=True, kw_only=True):
    """One passage through a pipeline. `pinned_differs`: golem.toml has changed since the run was bound.

    A paused one keeps the state that it goes on with: `paused_in`. `report`: the file of its final report, if written.
    `aside_at`: since then its worktree is set aside, with uncommitted work, if any, under `kept_ref`.
    """

    id: str
    state: str
    pipeline: str
    base_branch: str | None = None
    base_commit: str | None = None
    branch: str | None = None
    workspace: str | None = None
    aside_at: str | None = None
    kept_ref: str | None = None
    head: str | None = None
    pinned_differs: bool = False
    created_at: str = ""
    ended_at: str | None = None
    report: str | None = None
    phases: tuple[PhaseView, ...] = ()
    paused_in: str | None = None
    follow_ups: tuple[FollowUp, ...] = ()


class ItemDetail(ItemFields, frozen=True, kw_only=True):
    """An item with its runs, phases, attempts, gates (open and decided) and last records.

    Of one that came from elsewhere: what it was called there, what happened to it there, and what golemd has no place
    for, as JSON texts.
    """

    brief: Brief = Brief()
    base: str | None = None
    runs: tuple[RunView, ...] = ()
    phases: tuple[PhaseView, ...] = ()
    attempts: tuple[AttemptView, ...] = ()
    gates: tuple[GateView, ...] = ()
    events: tuple[dict[str, Any], ...] = ()
    prompt: str | None = None
    source: str | None = None
    history: tuple[Past, ...] = ()
    extra: dict[str, str] = {}


class GateDetail(GateView, frozen=True, kw_only=True):
    """A gate with what a person needs to decide it; `cost_usd`: of its item so far. A notification is this, as JSON."""

    project: str = ""
    title: str = ""
    holds_up: tuple[str, ...] = ()
    summary: str | None = None
    files: tuple[str, ...] = ()
    diffstat: str | None = None
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    cost_usd: float = 0.0


class DispatchView(Struct, frozen=True, kw_only=True):
    """The mandate on a project: `state` is running or halted."""

    state: str
    cap: int
    used: int
    halt_reason: str | None = None
    continuous: bool = False
    targets: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    auto_advance: bool = False
    then_rest: bool = False
    triage: bool = False


class RunStarted(Struct, frozen=True, kw_only=True):
    """A dispatch is on. `since`: follow the events from here; `attached`: it was on already."""

    project: str
    dispatch: DispatchView
    since: int
    attached: bool = False
    repeated: bool = False
    warnings: tuple[str, ...] = ()


class RunStopped(Struct, frozen=True, kw_only=True):
    """The dispatch is off; these attempts still run."""

    project: str
    dispatch: DispatchView
    running: tuple[AttemptView, ...] = ()
    repeated: bool = False


class ProjectView(Struct, frozen=True, kw_only=True):
    """A registered repository. `pipelines`: those that its configuration in force has.

    `today_usd`: spent on this day (UTC); `day_usd`: what may be spent on one.
    """

    name: str
    root: str
    prefix: str
    dispatch: DispatchView
    counts: dict[str, int]
    config_digest: str
    max_wip: int = 1
    max_concurrent: int = 1
    pipelines: tuple[str, ...] = ()
    today_usd: float = 0.0
    day_usd: float = 0.0


class ProjectReady(Struct, frozen=True, kw_only=True):
    """The answer of `init`: what was registered, and what was written."""

    project: ProjectView
    config_file: str
    written: bool = False
    again: bool = False
    warnings: tuple[str, ...] = ()
    repeated: bool = False


class DaemonView(Struct, frozen=True, kw_only=True):
    """The daemon itself. `degraded` says what is wrong with the disk, or null; `held_back` why no agent is added.

    `at`: the moment that is shown, when it is a past one; `seq` is then the last record that counts.
    """

    version: str
    pid: int
    uptime_s: float
    seq: int
    durable_seq: int
    state_dir: str
    instance: str = ""
    degraded: str | None = None
    stopping: bool = False
    held_back: str | None = None
    at: str | None = None


class ProviderView(Struct, frozen=True, kw_only=True):
    """An account behind an agent."""

    name: str
    state: str
    until: str | None = None
    used: int = 0


class SpendView(Struct, frozen=True, kw_only=True):
    """Money of the projects that are shown: spent on this day (UTC), and what they may spend on one, in sum."""

    today_usd: float = 0.0
    day_usd: float = 0.0


class StatusView(Struct, frozen=True, kw_only=True):
    """Everything at a glance. `waits`: the open gates; ended items are listed only when asked for."""

    daemon: DaemonView
    projects: tuple[ProjectView, ...]
    items: tuple[ItemView, ...]
    gates: tuple[GateView, ...]
    attempts: tuple[AttemptView, ...]
    providers: tuple[ProviderView, ...] = ()
    spend: SpendView = SpendView()


class WhyView(Struct, frozen=True, kw_only=True):
    """Why an item is not running, in sentences."""

    id: str
    status: str
    why: str
    next: str | None = None


class Pong(Struct, frozen=True, kw_only=True):
    """The daemon answers. `seq` is its newest durable record."""

    version: str
    pid: int
    seq: int
    state_dir: str


class ReloadView(Struct, frozen=True, kw_only=True):
    """Which projects have a new configuration in force. `available`: accounts that were parked, and are so no more."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    available: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    repeated: bool = False


class Imported(Struct, frozen=True, kw_only=True):
    """What an import did. `added`: how many, by the status that they have here; `changed`: what the source says has
    changed since it was imported, and the item is left as it is; `renamed`: old id → new one. Long lists are cut, and
    `more_warnings` left out.
    """

    project: str
    added: dict[str, int]
    unchanged: int = 0
    changed: tuple[str, ...] = ()
    renamed: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    more_warnings: int = 0
    dry_run: bool = False
    repeated: bool = False


class Exported(Struct, frozen=True, kw_only=True):
    """A page of an export: JSON texts, of the header and of one item each. `next`: the `after` of the next page.

    `pruned`: how many ended items are left out, because their records are gone.
    """

    project: str
    header: str
    lines: tuple[str, ...]
    next: int
    more: bool = False
    pruned: int = 0


class ShutdownView(Struct, frozen=True, kw_only=True):
    """The daemon stops; `ending`: attempts that are asked to end, or are kept running."""

    pid: int
    ending: tuple[str, ...] = ()
    kept: bool = False
