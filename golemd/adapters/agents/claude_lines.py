"""Claude Code's output for people who glance at it: what it says and what it uses, without the events around that."""

from __future__ import annotations

import json
from typing import Any, Final

_MEANT: Final = ("file_path", "command", "pattern", "url", "query", "path", "description", "summary")
"""What of a tool's input says most of its use, the first that is there."""


def shown(line: str) -> list[str]:
    """What a line of its standard output says to a person, as lines; a line that is no event says what it holds."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return [line]
    kind = event.get("type") if isinstance(event, dict) else None
    if kind == "assistant":
        return [each for block in _list(_dict(event.get("message")).get("content")) for each in _block(_dict(block))]
    if kind == "result":
        return _lines(event.get("result")) or [each for told in _list(event.get("errors")) for each in _lines(told)]
    if kind == "system" and event.get("subtype") == "api_retry":
        return [f"waits for its service ({_line(event.get('error'))}), try {_line(event.get('attempt'))}"]
    return []


def _block(block: dict[str, Any]) -> list[str]:
    if block.get("type") == "text":
        return _lines(block.get("text"))
    if block.get("type") == "tool_use":
        given = _dict(block.get("input"))
        meant = next((_line(given[name]) for name in _MEANT if name in given), "")
        return [f"{_line(block.get('name'))} {meant}".strip()]
    return []


def _lines(value: object) -> list[str]:
    return value.split("\n") if isinstance(value, str) else []


def _line(value: object) -> str:
    """A text or a number on one line; nothing for anything else."""
    return " ".join(str(value).split()) if isinstance(value, str | int) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
