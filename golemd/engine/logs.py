"""Reading attempts' logs: the names of the streams, how much is read at once, and their end in words for people."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Final

from golemd.adapters import agents
from golemd.adapters.agents.environment import masked
from golemd.adapters.processes.records import Stream
from golemd.api.model import Attempt
from golemd.core.decide.common import config_of
from golemd.engine.context import Context

LOG_PIECE: Final = 256 * 1024
STREAMS: Final[dict[str, Stream]] = {"stdout": "stdout", "stderr": "stderr"}


def tail_of(engine: Context, attempt: Attempt, lines: int, hidden: Collection[str]) -> tuple[str, ...]:
    """The last lines that an attempt's program has said to people, without the `hidden` values; files are named as in
    its workspace.
    """
    run = engine.state.runs[attempt.run]
    shown = agents.kind_of(config_of(engine.state, run).agents[attempt.agent].kind).shown if attempt.agent else None
    tail = engine.parts.runner.tail(attempt.id, lines, shown, partial(masked, values=hidden))
    return tuple(line.replace(f"{run.workspace}/", "") for line in tail) if run.workspace else tuple(tail)
