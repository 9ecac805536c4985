"""The daemon's own beginning and end."""

from __future__ import annotations

from golemd.api import events as ev
from golemd.api.events import Draft
from golemd.core import commands as cmd
from golemd.core.decide.common import Decided
from golemd.core.state import State


def started(state: State, command: cmd.ReportDaemonStarted, now_us: int) -> Decided:
    """The first record of every start; a repair of the journal is recorded before it."""
    drafts = [Draft(ev.DaemonStarted(version=command.version, pid=command.pid, boot_id=command.boot_id))]
    if command.repaired is not None:
        file, offset, cut, copy, last = command.repaired
        repaired = ev.JournalRepaired(file=file, offset=offset, cut_bytes=cut, copy=copy, last_seq=last)
        drafts.insert(0, Draft(repaired))
    return Decided(tuple(drafts))


def stopped(state: State, command: cmd.ReportDaemonStopped, now_us: int) -> Decided:
    """The last record of a graceful stop."""
    return Decided((Draft(ev.DaemonStopped(reason=command.reason)),), essential=True)
