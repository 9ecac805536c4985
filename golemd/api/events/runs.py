"""What happens to runs and their phases."""

from golemd.api.config import Pipeline
from golemd.api.model import Actor, NoteKind, Stage
from golemd.api.records import Event


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
