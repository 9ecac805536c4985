"""Words that people read, said in one way everywhere."""

from __future__ import annotations

import re
from typing import Final

# ECMA-48: control strings with their text, control sequences, other escapes; the 8-bit forms of the first two too.
ESCAPES: Final = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROL: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " ") | {ord("\n"): "\n", ord("\t"): "    "}


def count(number: int, noun: str) -> str:
    """1 phase, 2 phases."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def plain(text: str) -> str:
    """Text without escape sequences and control characters, but for its line feeds."""
    return ESCAPES.sub("", text).translate(_CONTROL)
