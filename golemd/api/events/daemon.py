"""What happens to the daemon and its journal."""

from golemd.api.model import Actor
from golemd.api.records import Event


class DaemonStarted(Event, frozen=True, kw_only=True):
    TYPE = "daemon.started"
    version: str
    pid: int
    boot_id: str


class DaemonStopped(Event, frozen=True, kw_only=True):
    TYPE = "daemon.stopped"
    reason: str = ""


class JournalRepaired(Event, frozen=True, kw_only=True):
    """A damaged or torn end was cut; what was cut is kept in `copy`."""

    TYPE = "journal.repaired"
    file: str
    offset: int
    cut_bytes: int
    copy: str
    last_seq: int


class JournalPruned(Event, frozen=True, kw_only=True):
    """A user has had the oldest segments removed: the journal begins with record `first`, which a snapshot covers."""

    TYPE = "journal.pruned"
    first: int
    segments: int
    bytes: int
    actor: Actor = Actor()
