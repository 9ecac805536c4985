"""Requests that look and change nothing, and the follows."""

from typing import Any

from golemd.api import checks, reports, views
from golemd.api.calls.base import Call


class Ping(Call[views.Pong], frozen=True, kw_only=True):
    """Ask whether the daemon answers."""

    METHOD = "ping"
    FOR_ANYONE = True


class Describe(Call[dict[str, Any]], frozen=True, kw_only=True):
    """Print the whole interface: methods, fields, types, replies, faults, documentation."""

    METHOD = "describe"
    FOR_ANYONE = True


class Status(Call[views.StatusView], frozen=True, kw_only=True):
    """Show projects, items, gates, attempts; `all`: ended ones too; `only`: KEY=VALUE words; `at`: a record, a time."""

    METHOD = "status"
    project: str = ""
    all: bool = False
    only: tuple[str, ...] = ()
    at: int | str | None = None


class ItemShow(Call[views.ItemDetail], frozen=True, kw_only=True):
    """Show one item with its runs, attempts, gates and last records; `prompt` adds its next or last prompt."""

    METHOD = "item.show"
    AGENT_FIELD = "id"
    id: str
    prompt: bool = False


class ItemWhy(Call[views.WhyView], frozen=True, kw_only=True):
    """Say in words why an item is not running."""

    METHOD = "item.why"
    AGENT_FIELD = "id"
    id: str


class GateList(Call[tuple[views.GateView, ...]], frozen=True, kw_only=True):
    """List the open gates, oldest first; `only` as in status."""

    METHOD = "gate.list"
    project: str = ""
    only: tuple[str, ...] = ()


class GateShow(Call[views.GateDetail], frozen=True, kw_only=True):
    """Show one gate: what happens if, what it holds up, content, files, evidence."""

    METHOD = "gate.show"
    AGENT_FIELD = "gate"
    gate: str


class EventsRead(Call[views.RecordsView], frozen=True, kw_only=True):
    """Read durable records from sequence number `since`, or a time, on."""

    METHOD = "events.read"
    since: int | str = 1
    item: str = ""
    type: str = ""
    limit: int = 1000


class EventsFollow(Call[views.FollowStarted], frozen=True, kw_only=True):
    """Follow the journal: one `event` notification per durable record. Without `since`, from now on."""

    METHOD = "events.follow"
    since: int | str | None = None
    item: str = ""
    type: str = ""


class Worklog(Call[views.WorklogView], frozen=True, kw_only=True):
    """Render what was done to a project's items in a month (`YYYY-MM`, else this one), from record `since` on."""

    METHOD = "worklog"
    project: str = ""
    month: str = ""
    since: int = 1


class LogsRead(Call[views.LogView], frozen=True, kw_only=True):
    """Read an attempt's output from a byte offset on. An item or run stands for its newest agent's."""

    METHOD = "logs.read"
    id: str
    stream: str = "stdout"
    offset: int = 0


class LogsFollow(Call[views.FollowStarted], frozen=True, kw_only=True):
    """Follow an attempt's output as `log` notifications until the attempt is over."""

    METHOD = "logs.follow"
    id: str
    stream: str = "stdout"
    offset: int = 0


class ProjectList(Call[tuple[views.ProjectView, ...]], frozen=True, kw_only=True):
    """List the registered projects."""

    METHOD = "project.list"


class ReportShow(Call[reports.ReportView], frozen=True, kw_only=True):
    """Show the final report of a run; of one still going, as it would be now. An item stands for its newest run."""

    METHOD = "report.show"
    AGENT_FIELD = "id"
    id: str


class Export(Call[views.Exported], frozen=True, kw_only=True):
    """Read a project's items as lines of JSON, a page after the item of order `after`; `import` takes them in."""

    METHOD = "export"
    project: str = ""
    after: int = 0


class ProjectCheck(Call[checks.CheckView], frozen=True, kw_only=True):
    """Look for what would keep a project, or the repository around a folder, from being worked on; change nothing."""

    METHOD = "project.check"
    project: str = ""


class JournalVerify(Call[views.VerifyView], frozen=True, kw_only=True):
    """Check every line of the journal; `deep` replays it all and compares with the live state."""

    METHOD = "journal.verify"
    deep: bool = False
