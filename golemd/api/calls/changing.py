"""Requests that change something; and Shutdown, which ends the daemon."""

from msgspec import field

from golemd.api import views
from golemd.api.calls.base import Call, Change


class ProjectInit(Change[views.ProjectReady], frozen=True, kw_only=True):
    """Register the git repository around `root`; write a golem.toml if it has none, or one like the file `from`."""

    METHOD = "project.init"
    root: str
    prefix: str = ""
    from_: str = field(default="", name="from")


class ProjectRemove(Change[tuple[views.ProjectView, ...]], frozen=True, kw_only=True):
    """Forget a project that has no unfinished items; its repository is left as it is."""

    METHOD = "project.remove"
    project: str


class ItemAdd(Change[views.ItemView], frozen=True, kw_only=True):
    """Add an item to a project's backlog."""

    METHOD = "item.add"
    project: str = ""
    title: str
    description: str = ""
    priority: int = 0
    labels: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    pipeline: str = ""
    base: str = ""
    vars: dict[str, str] = field(default_factory=dict)


class ItemEdit(Change[views.ItemView], frozen=True, kw_only=True):
    """Change an item; what is left out stays as it is."""

    METHOD = "item.edit"
    id: str
    title: str | None = None
    description: str | None = None
    priority: int | None = None
    labels: tuple[str, ...] | None = None
    dependencies: tuple[str, ...] | None = None
    pipeline: str | None = None
    base: str | None = None
    size: str | None = None
    complexity: str | None = None
    risk: str | None = None
    impact: str | None = None


class ItemCancel(Change[views.ItemView], frozen=True, kw_only=True):
    """Cancel an item: its agents are ended, its gates closed, its branch kept."""

    METHOD = "item.cancel"
    id: str
    reason: str = ""


class ItemReopen(Change[views.ItemView], frozen=True, kw_only=True):
    """Take a done or cancelled item up again, from the beginning."""

    METHOD = "item.reopen"
    id: str
    reason: str = ""


class ItemAdvance(Change[views.ItemView], frozen=True, kw_only=True):
    """Take an item past its phase, or to another one, also back; `force` ends its running attempt first."""

    METHOD = "item.advance"
    id: str
    to: str = ""
    force: bool = False


class ItemUnblock(Change[views.ItemView], frozen=True, kw_only=True):
    """Decide an item's only open gate in its default way; `answer` and `notes` are its text."""

    METHOD = "item.unblock"
    id: str
    answer: str = ""
    notes: str = ""


class GateDecide(Change[views.ItemView], frozen=True, kw_only=True):
    """Decide a gate. `gate` may be an item with one open gate; `content` is the digest of what was shown."""

    METHOD = "gate.decide"
    gate: str
    option: str
    text: str = ""
    content: str = ""


class Pause(Change[views.ItemView | tuple[views.ItemView, ...]], frozen=True, kw_only=True):
    """Pause an item, or all of a project: its agent is asked to end; `after_phase` lets its phase finish first."""

    METHOD = "pause"
    id: str = ""
    project: str = ""
    after_phase: bool = False


class Resume(Change[views.ItemView | tuple[views.ItemView, ...]], frozen=True, kw_only=True):
    """Go on with a paused item, or with all of a project, in the phase it was in."""

    METHOD = "resume"
    id: str = ""
    project: str = ""


class RunStart(Change[views.RunStarted], frozen=True, kw_only=True):
    """Dispatch a project: work on its items until all are done or wait for a human, or `cap` phases were started."""

    METHOD = "run.start"
    project: str = ""
    targets: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    cap: int | None = None
    continuous: bool = False
    auto_advance: bool = False
    then_rest: bool = False


class Triage(Change[views.RunStarted], frozen=True, kw_only=True):
    """Triage a project's new items, all or those of `ids`, and start nothing else; over when each is triaged."""

    METHOD = "triage"
    project: str = ""
    ids: tuple[str, ...] = ()


class RunStop(Change[views.RunStopped], frozen=True, kw_only=True):
    """End a project's dispatch: nothing new is launched; `now` also ends its running attempts."""

    METHOD = "run.stop"
    project: str = ""
    now: bool = False


class Import(Change[views.Imported], frozen=True, kw_only=True):
    """Import the backlog at the absolute `path`: all of it or nothing, and what is there already not again."""

    METHOD = "import"
    project: str = ""
    format: str
    path: str
    renumber: bool = False
    skip_broken: bool = False
    dry_run: bool = False


class JournalPrune(Change[views.Pruned], frozen=True, kw_only=True):
    """Remove the journal's oldest files that lie wholly before a record or time, and that no live item needs."""

    METHOD = "journal.prune"
    before: int | str
    dry_run: bool = False


class Reload(Change[views.ReloadView], frozen=True, kw_only=True):
    """Read all configuration again (one with errors is refused and the old stays), and try parked accounts at once."""

    METHOD = "reload"


class Shutdown(Call[views.ShutdownView], frozen=True, kw_only=True):
    """Stop the daemon: attempts are ended with grace, or with `keep_agents` run on and are adopted later."""

    METHOD = "shutdown"
    keep_agents: bool = False
