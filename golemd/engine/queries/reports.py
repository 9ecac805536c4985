"""The final report of a run, or how it would be now."""

from __future__ import annotations

import logging

from golemd.api import calls
from golemd.api.faults import NotFound
from golemd.api.model import EndedItem, Item
from golemd.api.reports import Report, ReportView
from golemd.core.markdown import markdown
from golemd.engine import reports
from golemd.engine.context import Context

log = logging.getLogger(__name__)


async def show(engine: Context, call: calls.ReportShow) -> ReportView:
    """The report of a run; an item stands for its newest one."""
    item = engine.state.known(call.id.partition(".")[0])
    run = call.id if call.id != item.id else item.run or _last_run(item)
    report = await reports.report_of(engine, item.id, run)
    path = await _file(engine, report) if report.finished else None
    return ReportView(path=path, report=report, markdown=markdown(report))


def _last_run(item: Item | EndedItem) -> str:
    if not item.runs:
        message = f"{item.id} has had no run yet, so there is nothing to report."
        raise NotFound("no_run", message, f"golemctl why {item.id}")
    return f"{item.id}.{item.runs}"


async def _file(engine: Context, report: Report) -> str | None:
    """The Markdown file of a report, made again when it has been removed; None when it cannot be written now."""
    file = reports.folder_of(engine) / f"{report.run}.md"
    if not await engine.parts.in_thread(engine.parts.files.is_there, file):
        try:
            await reports.write(engine, report)
        except OSError as error:
            log.warning("the report of %s cannot be written to %s: %s", report.run, file.parent, error.strerror)
            return None
    return str(file)
