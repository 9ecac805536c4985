"""The journal: records on disk, appended with group commit, replayed at start, never silently less than was told.

Read in this order: `line` (bytes ↔ record, and the chain), `segments` (files), `head` (the durable end), `walk`
(reading it all and judging), `recovery` (the start), `appender` (the newest file), `journal` (the writer that all
others use), `history` with `reading` (looking back), `snapshots` and `keeper` (where a later start may begin),
`offline` (`--check` and `--repair`).
"""

from golemd.adapters.journal.faults import JournalDamaged, JournalFailed, JournalFault, JournalNewer
from golemd.adapters.journal.history import Verified
from golemd.adapters.journal.journal import Journal
from golemd.adapters.journal.limits import Limits
from golemd.adapters.journal.offline import Report, check, repair
from golemd.adapters.journal.reading import Place
from golemd.adapters.journal.snapshots import Codec

__all__ = [
    "Codec",
    "Journal",
    "JournalDamaged",
    "JournalFailed",
    "JournalFault",
    "JournalNewer",
    "Limits",
    "Place",
    "Report",
    "Verified",
    "check",
    "repair",
]
