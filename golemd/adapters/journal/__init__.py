"""The journal: records on disk, appended with group commit, replayed at start, never silently less than was told.

Read in this order: `line` (bytes ↔ record, and the chain), `segments` (files), `head` (the durable end), `walk`
(reading it all and judging), `recovery` (the start), `appender` (the newest file), `journal` (the writer that all
others use), `reading` (looking back), `offline` (`--check` and `--repair`). Snapshots would be one more file beside
these: a `Chain` at a later record to begin a walk with.
"""

from golemd.adapters.journal.faults import JournalDamaged, JournalFailed, JournalFault, JournalNewer
from golemd.adapters.journal.journal import Journal, Verified
from golemd.adapters.journal.limits import Limits
from golemd.adapters.journal.offline import Report, check, repair

__all__ = [
    "Journal",
    "JournalDamaged",
    "JournalFailed",
    "JournalFault",
    "JournalNewer",
    "Limits",
    "Report",
    "Verified",
    "check",
    "repair",
]
