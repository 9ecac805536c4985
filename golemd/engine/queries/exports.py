"""A project's items as lines of JSON, page by page: each item as it is when its page is read."""

from __future__ import annotations

from typing import Final

import trio

import golemd
from golemd.api import calls, views
from golemd.api.events import ItemAdded, Record
from golemd.core import exports, times
from golemd.engine import past
from golemd.engine.context import Context

PAGE_ITEMS: Final = 500
PAGE_BYTES: Final = 512 * 1024


async def export(engine: Context, call: calls.Export) -> views.Exported:
    state = engine.state
    project = state.project(call.project)
    mine = [item for kind in (state.items, state.ended) for item in kind.values() if item.project == project.name]
    pruned = sum(item.order < state.first for item in mine)
    ahead = sorted((item.order, item.id) for item in mine if item.order > call.after and item.order >= state.first)
    firsts = engine.parts.journal.read(order for order, _ in ahead)
    lines: list[str] = []
    size, after = 0, call.after
    for order, name in ahead[:PAGE_ITEMS]:
        lines.append(await _line(engine, name, next(firsts)))
        size, after = size + len(lines[-1]), order
        if size > PAGE_BYTES:
            break
        await trio.lowlevel.checkpoint()
        await engine.settled()  # what happened meanwhile can be read too
    header = exports.header(project, times.stamp(engine.now_us()), golemd.__version__)
    return views.Exported(
        project=project.name,
        header=header,
        lines=tuple(lines),
        next=after,
        more=len(lines) < len(ahead),
        pruned=pruned,
    )


async def _line(engine: Context, name: str, first: Record) -> str:
    """One item; `first` is its first record, which has what happened to it before it came here."""
    state = engine.state
    before = first.data.history if isinstance(first.data, ItemAdded) else ()
    if state.has_all_of(name):
        return exports.line(state, state.items[name], before)
    whole = await past.history_of(engine, name)
    return exports.line(whole, whole.items[name], before)
