"""What happens to items."""

from msgspec import field

from golemd.api.model import Actor, Assessments, Brief, Past, Resolution, Status
from golemd.api.records import Event


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
