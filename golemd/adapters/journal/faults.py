"""How a journal refuses. Each fault ends the daemon with its own exit status; none is ever retried."""

from __future__ import annotations

import errno
from typing import ClassVar, Final

from golemd.adapters.disk import FULL
from golemd.api.faults import NotFound, Unavailable

NO_ROOM: Final = FULL | {errno.EFBIG}
"""What an operation that sets space aside says when there is none. The same from a write is a failed write."""


class JournalFault(Unavailable):
    """The journal cannot be used. `exit_status` is the daemon's."""

    exit_status: ClassVar[int] = 74


class JournalDamaged(JournalFault):
    """What was durable is not there, or not what was written.

    `seq`: the last good record before the damage; `whole`: the last good end of a command, which is where to cut.
    """

    exit_status = 65

    def __init__(
        self, file: str, offset: int, seq: int, what: str, whole: int | None = None, *, hint: str = ""
    ) -> None:
        self.whole = seq if whole is None else whole
        super().__init__(
            "journal_damaged",
            f"the journal is damaged: {file}, byte {offset}: {what}; record {seq} is the last good one before it",
            hint
            or f"Look for a backup of the file first. `golemd --repair {self.whole}` keeps a copy of journal and head, "
            f"then cuts everything after record {self.whole}.",
            file=file,
            offset=offset,
            seq=seq,
            whole=self.whole,
        )
        self.file = file
        self.offset = offset
        self.seq = seq


class JournalNewer(JournalFault):
    """A newer golemd wrote this journal."""

    exit_status = 76

    def __init__(self, file: str, offset: int, seq: int, what: str) -> None:
        super().__init__(
            "journal_newer",
            f"the journal was written by a newer golemd: {file}, byte {offset}, record {seq}: {what}",
            "Start the newer golemd again; this one would misread the journal.",
            file=file,
            offset=offset,
            seq=seq,
        )


class JournalFailed(JournalFault):
    """A write, sync or rename failed, so nothing is known about what is on disk. Only a new start finds out."""

    exit_status = 74

    def __init__(self, what: str) -> None:
        super().__init__(
            "journal_failed",
            f"the journal cannot be written: {what}",
            "Nothing unconfirmed was answered or acted upon. Check the disk, then start golemd again.",
        )
        self.what = what


def records_pruned(seq: int, first: int) -> NotFound:
    """The answer to who asks for a record that was removed."""
    message = f"Record {seq} was pruned: the journal begins with record {first}."
    return NotFound("records_pruned", message, "What is left is what came after it, and every item's last state.")


def disk_full(free: int) -> Unavailable:
    """The refusal of a changing call while the journal's reserve cannot be renewed. `free` is in bytes."""
    return Unavailable(
        "disk_full",
        f"the disk is too full to go on safely ({free // (1024 * 1024)} MiB free)",
        "Make room on the disk of the state folder; golemd goes on by itself.",
        free_bytes=free,
    )


def failure(error: Exception) -> JournalFailed:
    """The fault of an operation that failed."""
    return JournalFailed(str(error) or type(error).__name__)
