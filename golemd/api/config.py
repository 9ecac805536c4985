"""A project's configuration, normalised: what `golem.toml` means once it has been read and found good.

Rules. These values are pinned in events, so every field but a name has a default, none is renamed, and defaults are
written out: a pin means the same in every later release. An enumeration is plain text here; `core.configuration` says
what is allowed. None means "as the project says"; `ProjectConfig.pinned` fills it in. Values of environment variables
are secrets and are not here, only their names and digests; the values are read from the file when a process starts.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

KINDS: Final = ("claude", "codex", "gemini", "opencode", "acp", "command", "scripted")
"""Every kind of agent; each exists as an agent of the same name, without a section of its own."""

AVAILABLE_KINDS: Final = ("claude", "command", "scripted")
"""The kinds that this release can start."""


class Guardrails(Struct, frozen=True):
    """The highest assessments that go on without a human."""

    max_size: str = "medium"
    max_complexity: str = "medium"
    max_risk: str = "low"


class Execution(Struct, frozen=True):
    """How the project's work is done, and every bound on it. `verify` holds shell commands."""

    agent: str = "claude"
    workspace: str = "worktree"
    merge: str = "none"
    circuit_breaker: int = 2
    max_fix_attempts: int = 2
    max_rounds: int = 20
    max_follow_ups: int = 10
    max_follow_up_depth: int = 2
    grace_seconds: float = 5.0
    verify: tuple[str, ...] = ()
    verify_after_merge: bool = True
    hooks: bool = False
    sign: bool = False
    phase_timeout_minutes: float = 30.0
    max_retries: int = 2
    default_phase_cap: int = 100
    max_wip: int = 1
    max_concurrent: int = 1


class Workspace(Struct, frozen=True):
    """How a new worktree is made ready: shell commands, and files copied from the project's root."""

    setup: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()


class Budget(Struct, frozen=True):
    """What may be spent, in US dollars and tokens; 0 is no limit."""

    item_usd: float = 0.0
    day_usd: float = 0.0
    item_tokens: int = 0


class Triage(Struct, frozen=True):
    """Whether new items are assessed first, and by whom (None: `execution.agent`)."""

    enabled: bool = True
    agent: str | None = None
    merge_duplicates: bool = False


class Agent(Struct, frozen=True):
    """A program that does the work of a phase. `env_digests`: variables set for it, name → salted digest."""

    kind: str = ""
    command: tuple[str, ...] = ()
    model: str | None = None
    permissions: str = "edit"
    env_digests: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    args: tuple[str, ...] = ()


class Role(Struct, frozen=True):
    """An agent with standing instructions."""

    agent: str | None = None
    model: str | None = None
    system_prompt: str = ""
    instructions_file: str = ""


class Artifact(Struct, frozen=True):
    """A file that a phase must leave behind, and the JSON Schema that it must satisfy."""

    path: str = ""
    schema: str = ""


TRIAGE: Final = "triage"
"""The name of the phase in which a new item is assessed; it belongs to no pipeline, so none may use it."""


class Phase(Struct, frozen=True):
    """One step of a pipeline. `gate` holds the approvals asked for at its end, in order, by name."""

    name: str
    workflows: tuple[str, ...] = ()
    is_destructive: bool = False
    staleness: str = "ignore"
    role: str | None = None
    agent: str | None = None
    model: str | None = None
    gate: tuple[str, ...] = ()
    verify: tuple[str, ...] | None = None
    graph: str | None = None
    timeout_minutes: float | None = None
    max_retries: int | None = None
    budget_usd: float | None = None
    artifacts: tuple[Artifact, ...] = ()
    vars: dict[str, str] = {}


class Pipeline(Struct, frozen=True):
    """A named list of phases; the pre-phases come before the item is promoted. Phase names are unique over both.

    `triage` is there only in the pinned pipeline of a run that began with it.
    """

    name: str
    pre_phases: tuple[Phase, ...] = ()
    phases: tuple[Phase, ...] = ()
    triage: Phase | None = None

    @property
    def all_phases(self) -> tuple[Phase, ...]:
        """Triage, pre-phases and phases, in the order in which they run."""
        before = () if self.triage is None else (self.triage,)
        return before + self.pre_phases + self.phases

    @property
    def promoted_at(self) -> int:
        """The index of the first phase that runs in progress; what is before it runs while the item is scoped."""
        return len(self.all_phases) - len(self.phases)


class ProjectConfig(Struct, frozen=True):
    """All that a project says. An empty `base_branch` means the branch that was checked out at init.

    `agents` holds those with a section and those in use, so every agent that a phase names is found there.
    """

    name: str
    prefix: str = "WRK"
    default_pipeline: str = "feature"
    base_branch: str = ""
    branch_prefix: str = "golem"
    worklog: bool = False  # kept in the repository as well, in `_worklog/`
    guardrails: Guardrails = Guardrails()
    execution: Execution = Execution()
    workspace: Workspace = Workspace()
    budget: Budget = Budget()
    triage: Triage = Triage()
    agents: dict[str, Agent] = {}
    roles: dict[str, Role] = {}
    pipelines: dict[str, Pipeline] = {}

    def pinned(self, pipeline: str, *, triage: bool = False) -> Pipeline:
        """The pipeline of that name with agent, verify, time limit and retries of every phase filled in.

        Raises KeyError for a pipeline that does not exist.
        """
        found = self.pipelines[pipeline]
        return replace(
            found,
            pre_phases=tuple(self._filled(phase) for phase in found.pre_phases),
            phases=tuple(self._filled(phase) for phase in found.phases),
            triage=self._filled(Phase(TRIAGE, agent=self.triage.agent, verify=())) if triage else None,
        )

    def _filled(self, phase: Phase) -> Phase:
        general = self.execution
        return replace(
            phase,
            agent=general.agent if phase.agent is None else phase.agent,
            verify=general.verify if phase.verify is None else phase.verify,
            timeout_minutes=general.phase_timeout_minutes if phase.timeout_minutes is None else phase.timeout_minutes,
            max_retries=general.max_retries if phase.max_retries is None else phase.max_retries,
        )
