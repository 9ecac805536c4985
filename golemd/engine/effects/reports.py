"""Final reports: written when a run has been put away, and recorded as written."""

from __future__ import annotations

from golemd.api.faults import Unavailable
from golemd.core import commands as cmd
from golemd.core import plan
from golemd.engine import reports
from golemd.engine.context import Context


async def write(engine: Context, effect: plan.WriteReport) -> None:
    """Write the report of a run. Raises Unavailable `report_unwritable`; it is then tried again."""
    report = await reports.report_of(engine, engine.state.runs[effect.id].item, effect.id)
    try:
        digests = await reports.write(engine, report)
    except OSError as error:
        message = f"The report of {effect.id} cannot be written to {reports.folder_of(engine)}: {error.strerror}."
        raise Unavailable("report_unwritable", message, "Mend that; it is tried again.") from error
    await engine.report(cmd.ReportFiled(run=effect.id, through=report.through, digests=digests))
