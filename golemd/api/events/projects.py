"""What happens to projects and their dispatches."""

from golemd.api.config import ProjectConfig
from golemd.api.model import Actor, HaltReason
from golemd.api.records import Event


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
