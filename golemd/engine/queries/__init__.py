"""Looking: one row per query, made of the state as it is now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from golemd.api import calls
from golemd.engine import preflight
from golemd.engine.queries import daemon, exports, items, records, reports

QUERIES: Final[dict[type[calls.Call[Any]], Callable[[Any, Any], Any | Awaitable[Any]]]] = {
    calls.Ping: daemon.ping,
    calls.Describe: daemon.describe,
    calls.Status: daemon.status,
    calls.ProjectList: daemon.project_list,
    calls.ItemShow: items.show,
    calls.ItemWhy: items.why,
    calls.GateList: items.gate_list,
    calls.GateShow: items.gate_show,
    calls.EventsRead: records.events,
    calls.LogsRead: records.log,
    calls.Worklog: records.worklog,
    calls.JournalVerify: records.verify,
    calls.Export: exports.export,
    calls.ReportShow: reports.show,
    calls.ProjectCheck: preflight.check,
}
AT_ONCE: Final = frozenset({calls.Ping, calls.Describe})  # they read nothing that may not be durable yet
SLOW: Final = frozenset(
    {
        calls.EventsRead,
        calls.Export,
        calls.GateShow,
        calls.ItemShow,
        calls.JournalVerify,
        calls.LogsFollow,
        calls.LogsRead,
        calls.ProjectCheck,
        calls.ReportShow,
        calls.Worklog,
    }
)
"""They ask git or other programs, or read much."""
