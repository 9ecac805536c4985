"""Words that the shell may complete: ids of items and gates. Without a daemon: none."""

from __future__ import annotations

from typing import Final

COMPLETE_SECONDS: Final = 1.0
"""A shell that waits for a completion is not kept longer."""


def item_ids(incomplete: str) -> list[str]:
    """Items that have not ended."""
    return _beginning_with(incomplete, gates=False)


def gate_or_item_ids(incomplete: str) -> list[str]:
    """Open gates, and the items that they hold up."""
    return _beginning_with(incomplete, gates=True)


def _beginning_with(incomplete: str, *, gates: bool) -> list[str]:
    from golemctl.client import Client
    from golemd.api import paths
    from golemd.api.calls import Status
    from golemd.api.faults import Fault

    try:
        with Client(paths.find_socket(), timeout=COMPLETE_SECONDS) as client:
            view = client.call(Status())
    except Fault:
        return []
    open_gates = [name for gate in view.gates for name in (gate.item, gate.id)]
    names = open_gates if gates else [item.id for item in view.items]
    return sorted({name for name in names if name.startswith(incomplete)})
