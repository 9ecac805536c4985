"""What golemctl prints, and where: replies on stdout as lines for people or as JSON, everything else on stderr."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, TextIO, TypeVar

import msgspec

from golemctl.render.text import UNLIMITED, Look, clean, local, wrap
from golemd.api.faults import Fault, to_wire

NARROWEST: Final = 40
"""Narrower terminals are written to as if they had this many columns."""
_NAME: Final = "golemctl: "

V = TypeVar("V")


class Output:
    """One run's output. With `json`, people's text goes to stderr."""

    def __init__(self, *, json: bool = False, colour: bool = True) -> None:
        self.json = json
        self._colour = colour and not os.environ.get("NO_COLOR")

    @property
    def is_terminal(self) -> bool:
        """Whether lines for people go to a terminal."""
        return (sys.stderr if self.json else sys.stdout).isatty()

    def look(self) -> Look:
        """How to show things at this moment."""
        terminal = self.is_terminal
        columns = max(NARROWEST, _terminal_columns()) if terminal else UNLIMITED
        return Look(columns, terminal and self._colour, time.time(), os.path.expanduser("~"))

    def reply(self, value: V, lines: Callable[[V, Look], Iterable[str]]) -> None:
        """A reply: the JSON document itself, or as lines."""
        if self.json:
            self.document(value)
        else:
            self.say(*lines(value, self.look()))

    def document(self, value: Any) -> None:  # noqa: ANN401 - anything that msgspec can write
        """One JSON document on a line of stdout."""
        print(msgspec.json.encode(value).decode(), flush=True)

    def say(self, *lines: str) -> None:
        """Lines for people, where replies go."""
        _print(lines, sys.stderr if self.json else sys.stdout)

    def aside(self, *lines: str) -> None:
        """Lines for people that are no part of the reply."""
        sys.stdout.flush()
        _print(lines, sys.stderr)

    def fault(self, fault: Fault, *, own: bool = False) -> None:
        """A refusal: what happened, to which thing, what to do next; on stdout too with --json. `own`: no daemon's."""
        if self.json:
            self.document({"error": to_wire(fault)})
        columns = _terminal_columns() if sys.stderr.isatty() else UNLIMITED
        self.aside(*fault_lines(fault, columns, own=own))


def _terminal_columns() -> int:
    import shutil  # only here: what goes into a file or pipe has no width

    return shutil.get_terminal_size().columns


def fault_lines(fault: Fault, columns: int = UNLIMITED, *, own: bool = False) -> list[str]:
    """A fault for people: the message with its code, the hint beneath, each line of both kept.

    `own`: golemctl says it, of what was typed. Its moments stay as they are; those of the daemon are shown as local.
    """
    indent = " " * len(_NAME)
    inner = max(20, columns - len(_NAME))
    texts = [f"{fault.message} ({fault.code})", *([fault.hint] if fault.hint else [])]
    shown = [line if own else local(line) for text in texts for line in text.splitlines()]
    lines = [part for line in shown for part in wrap(clean(line), inner)]
    return [(indent if number else _NAME) + line for number, line in enumerate(lines)]


def _print(lines: Iterable[str], stream: TextIO) -> None:
    """Write lines at once, with what the terminal's encoding does not have replaced."""
    text = "".join([f"{line}\n" for line in lines])
    encoding = sys.stdout.encoding or "utf-8"
    stream.write(text if encoding.lower() == "utf-8" else text.encode(encoding, "replace").decode(encoding))
