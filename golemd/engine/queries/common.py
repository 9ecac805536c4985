"""What all views are made with."""

from __future__ import annotations

from golemd.core import present
from golemd.engine.context import Context


def clock(engine: Context) -> present.Clock:
    """The moment and limits that views are made with."""
    return present.Clock(engine.now_us(), engine.limits)
