"""Final reports, from the journal: made, written to `<state>/reports/`, and shown.

The files can always be made again, so a missing one is no loss; that one was written is recorded as `report.written`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from golemd.api.events import Record
from golemd.api.reports import Report
from golemd.core import report as reporting
from golemd.core.markdown import markdown
from golemd.engine import past
from golemd.engine.context import Context

FOLDER: Final = "reports"


def folder_of(engine: Context) -> Path:
    """Where the reports are."""
    return engine.parts.state_dir / FOLDER


async def report_of(engine: Context, item: str, run: str) -> Report:
    """The report of a run as the durable journal tells it. Raises NotFound `run_not_found`."""
    telling = reporting.Telling(run, await _written_through(engine, item, run))
    await past.visit_story(engine, item, telling.take)
    return telling.report(engine.state.configs)


async def _written_through(engine: Context, item: str, run: str) -> int:
    """The last record that the run's report was written of; 0 when it has not been written."""
    through = 0

    def visit(record: Record) -> bool:
        nonlocal through
        through = reporting.written_through(record, run)
        return through > 0

    await past.visit_story(engine, item, visit)
    return through


async def write(engine: Context, report: Report) -> dict[str, str]:
    """Write the report's files; their SHA-256 by extension. Raises OSError."""
    contents = {"json": reporting.to_json(report), "md": markdown(report).encode()}
    named = {f"{report.run}.{extension}": content for extension, content in contents.items()}
    async with engine.filing:
        await engine.parts.in_thread(engine.parts.files.write_durable, folder_of(engine), named)
    return {extension: hashlib.sha256(content).hexdigest() for extension, content in contents.items()}
