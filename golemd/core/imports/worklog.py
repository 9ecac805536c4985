"""phase-golem's worklogs, `_worklog/2026-02.md`: what was done to items, phase by phase.

An entry is a heading with time, id and title, and a few lines `- **Name:** value`. What is no entry is passed over:
people write into these files too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from golemd.api.model import Past
from golemd.core import times

_HEADING: Final = re.compile(r"## (\S+) — (\S+) \(")
_FIELD: Final = re.compile(r"- \*\*(\w+):\*\* (.*)")


def histories(files: Iterable[bytes]) -> dict[str, list[Past]]:
    """Notes by item."""
    found: dict[str, list[Past]] = {}
    for data in files:
        for part in re.split(r"^(?=## )", data.decode("utf-8", "replace"), flags=re.MULTILINE):
            heading = _HEADING.match(part)
            if heading is not None:
                _note(heading[1], part, found.setdefault(heading[2], []))
    return found


def _note(at: str, part: str, notes: list[Past]) -> None:
    fields = {match[1]: match[2].strip() for line in part.split("\n") if (match := _FIELD.match(line))}
    outcome = fields.get("Outcome") or fields.get("Status", "")
    words = " ".join(word for word in (fields.get("Phase", ""), outcome.lower()) if word)
    text = ": ".join(word for word in (words, fields.get("Summary", "")) if word)
    try:
        notes.append(Past(times.utc(at), text or "worked on"))
    except ValueError:
        return
