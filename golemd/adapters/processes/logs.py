"""An attempt's output, read in bounded pieces: raw bytes for those who follow it, clean lines for those who glance."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from golemd.adapters.processes.files import rfc3339
from golemd.adapters.processes.records import Stream
from golemd.api.words import ESCAPES

MAX_READ_BYTES: Final = 1024 * 1024
TAIL_BYTES: Final = 8 * 1024
MAX_LINE_CHARS: Final = 200
STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")

_BEGIN: Final = re.compile(rb"[\r\n]")  # after it a line begins, or what a terminal shows of one
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, bidi overrides, unassigned


def read(folder: Path, stream: Stream, offset: int, limit: int) -> bytes:
    """At most `limit` bytes (and MAX_READ_BYTES) of a log from `offset`; empty at its end and where there is none."""
    fd = _open(folder, stream)
    if fd is None:
        return b""
    try:
        return os.pread(fd, max(0, min(limit, MAX_READ_BYTES)), max(0, offset))
    finally:
        os.close(fd)


def tail(
    folder: Path,
    lines: int,
    shown: Callable[[str], list[str]] | None = None,
    mask: Callable[[str], str] = str,
) -> list[str]:
    """The last lines of the log that was written to last, without blank ones, escapes and control characters.

    `shown`: what a whole line of standard output says to people, for programs that write for other programs. `mask`
    takes out what nobody may see, before lines are cut: half of it may be too much.
    """
    written = [(when, stream) for stream in STREAMS if (when := _written_ns(folder, stream))]
    if not written or lines <= 0:
        return []
    stream = max(written)[1]
    size = os.stat(folder / f"{stream}.log").st_size
    if shown is None or stream == "stderr":
        data = _whole_lines(folder, stream, size, TAIL_BYTES) or _whole_lines(folder, stream, size, MAX_READ_BYTES)
        texts = data.decode("utf-8", "replace").split("\n")
    else:
        texts = _shown(_whole_lines(folder, stream, size, MAX_READ_BYTES), lines, shown)
    cleaned = [clean(line, mask) for line in texts]
    return [line for line in cleaned if line][-lines:]


def _whole_lines(folder: Path, stream: Stream, size: int, limit: int) -> bytes:
    """The lines that begin in the last `limit` bytes of a log, or are written over there."""
    data = read(folder, stream, size - limit, limit)
    if size <= limit:
        return data
    begin = _BEGIN.search(data)
    return data[begin.end() :] if begin else b""


def _shown(data: bytes, lines: int, shown: Callable[[str], list[str]]) -> list[str]:
    """What the last whole lines say, at least so many if there are."""
    found: list[str] = []
    for line in reversed(data.split(b"\n")[:-1]):
        found = [each for each in shown(line.decode("utf-8", "replace")) if clean(each)] + found
        if len(found) >= lines:
            break
    return found


def clean(line: str, mask: Callable[[str], str] = str) -> str:
    """A line as a terminal would leave it: what was written last, without anything that steers terminals; masked, and
    cut to what people read.
    """
    visible = ESCAPES.sub("", line).rstrip("\r").rpartition("\r")[2].replace("\t", " ")
    shown = "".join(char for char in visible if unicodedata.category(char) not in _UNSEEN)
    return mask(shown.strip())[:MAX_LINE_CHARS]


def last_output_at(folder: Path) -> str | None:
    """When a log last grew, RFC 3339 UTC; None when nothing was written."""
    written = [when for stream in STREAMS if (when := _written_ns(folder, stream))]
    return rfc3339(datetime.fromtimestamp(max(written) / 1e9, UTC)) if written else None


def _open(folder: Path, stream: Stream) -> int | None:
    try:
        return os.open(folder / f"{stream}.log", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None


def _written_ns(folder: Path, stream: Stream) -> int:
    """The time of the last write, 0 when there was none."""
    try:
        known = os.stat(folder / f"{stream}.log")
    except OSError:
        return 0
    return known.st_mtime_ns if known.st_size else 0
