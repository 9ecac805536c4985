"""A preflight as lines: what must be mended first, each finding with its place and a hint."""

from __future__ import annotations

from typing import Final

from golemctl.render.text import Look, attention, block, clean, folder, pad
from golemd.api.checks import CheckFinding, CheckView
from golemd.api.words import count

_INDENT: Final = 11


def check_lines(view: CheckView, look: Look) -> list[str]:
    """All findings, then how many there are of what must be mended."""
    name = f"{clean(view.project)}  " if view.project else ""
    lines = [f"{name}{folder(view.root, look)}", ""]
    for finding in view.findings:
        lines += _finding(finding, view.root, look)
    return [*lines, *([""] if view.findings else []), _verdict(view)]


def _finding(finding: CheckFinding, root: str, look: Look) -> list[str]:
    mark = "! " if finding.level == "error" else "  "
    where = "" if finding.where == root else f"{clean(finding.where)}: "
    first, *rest = block(f"{where}{finding.what.removesuffix('.')}.", look, _INDENT)
    head = f"{mark}{pad(finding.level, _INDENT - 2)}"
    lines = [head + first[_INDENT:], *rest, *(block(finding.hint, look, _INDENT) if finding.hint else [])]
    return [attention(line, look) for line in lines] if finding.level == "error" else lines


def _verdict(view: CheckView) -> str:
    if not view.errors and not view.warnings:
        return "Nothing stands in the way." if view.project else "Nothing stands in the way of golemctl init."
    parts = [count(number, noun) for number, noun in ((view.errors, "error"), (view.warnings, "warning")) if number]
    return f"{', '.join(parts)}."
