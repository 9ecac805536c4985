"""Text on a terminal: cleaned of what could harm it, measured in columns, cut, padded, laid out in columns.

Rule: text that a person or an agent wrote goes through clean() (or paragraphs()) before it is measured or shown.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import repeat
from operator import add
from typing import Final

from msgspec import Struct

from golemd.api.words import ESCAPES

UNLIMITED: Final = 1 << 30
"""The width of what is not a terminal: nothing is cut."""
ELLIPSIS: Final = "…"
HASH_CHARACTERS: Final = 7
AS_USUAL: Final = (None, "completed", "cancelled")
"""Resolutions that say no more than the status."""
_ATTENTION: Final = "\x1b[1;33m"
_PLAIN: Final = "\x1b[0m"

_STAMPS: Final = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_SPACES: Final = dict.fromkeys(map(ord, "\t\n\r\v\f\x85\u2028\u2029"), " ")


class Look(Struct, frozen=True):
    """How to show: columns, whether colour may be used, seconds since the epoch, the home folder (shown as ~)."""

    width: int = 80
    colour: bool = False
    now: float = 0.0
    home: str = ""


# --- cleaning and measuring --------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """One line without escape sequences, control characters, and invisible marks that change the order of reading."""
    if text.isascii() and text.isprintable():
        return text
    text = ESCAPES.sub("", text).translate(_SPACES)
    return "".join(_safe(character) for character in text)


def cleaned(texts: Sequence[str]) -> Sequence[str]:
    """Texts, each cleaned. Those that have no need of it are looked at all at once."""
    whole = "".join(texts)
    return texts if whole.isascii() and whole.isprintable() else [clean(text) for text in texts]


def _safe(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    return "" if category in ("Cc", "Cf") else character


def paragraphs(text: str) -> list[str]:
    """The lines of a longer text, each cleaned, without empty ones at the end."""
    lines = [clean(line.expandtabs(4)).rstrip() for line in ESCAPES.sub("", text).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def first_line(text: str | None) -> str:
    """The first line that says anything, cleaned."""
    if text and text.isascii() and text.isprintable():  # as most are: one line, and clean
        return text.strip()
    return next((line for line in paragraphs(text or "") if line.strip()), "").strip()


def width(text: str) -> int:
    """How many columns a cleaned text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """The text, ended with … where it would take more columns."""
    if width(text) <= columns:
        return text
    if columns < 1:
        return ""
    if text.isascii():
        return text[: columns - 1].rstrip() + ELLIPSIS
    taken, kept = 0, []
    for character in text:
        taken += _columns(character)
        if taken > columns - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + ELLIPSIS


def pad(text: str, columns: int) -> str:
    """The text with spaces behind it up to a width."""
    return text.ljust(columns) if text.isascii() else text + " " * (columns - width(text))


def widest(texts: Sequence[str]) -> int:
    """How many columns the widest of cleaned texts takes; 0 when there is none."""
    return max(map(len if "".join(texts).isascii() else width, texts), default=0)


def aligned(texts: Sequence[str], *, right: bool = False) -> list[str]:
    """Cleaned texts, each with spaces up to the width of the widest: behind it or, to the right, before it."""
    columns = widest(texts)
    if "".join(texts).isascii():
        return [*map(str.rjust if right else str.ljust, texts, repeat(columns))]
    spaces = [" " * (columns - width(text)) for text in texts]
    return [*map(add, spaces, texts)] if right else [*map(add, texts, spaces)]


def wrap(text: str, columns: int) -> list[str]:
    """A cleaned line broken at spaces into lines of at most so many columns; longer words are broken too."""
    if width(text) <= columns:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and width(line) + 1 + width(word) > columns:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
        while width(line) > columns:
            head = _head(line, columns)
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line]


def _head(text: str, columns: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += _columns(character)
        if taken > columns:
            return text[: max(1, index)]
    return text


def block(text: str, look: Look, indent: int = 2) -> list[str]:
    """A longer text, cleaned, wrapped and indented."""
    columns = max(10, look.width - indent)
    return [(" " * indent + line).rstrip() for paragraph in paragraphs(text) for line in wrap(paragraph, columns)]


def table(rows: Iterable[Sequence[str]], look: Look, *, indent: int = 2) -> list[str]:
    """Rows in columns as wide as their widest cell; the last column takes what is left and is cut."""
    cells = list(rows)
    if not cells:
        return []
    *columns, last = map(cleaned, zip(*cells, strict=True))
    shown = [aligned(column) for column in columns if any(column)]
    return [cut((" " * indent + "  ".join(line)).rstrip(), look.width) for line in zip(*shown, last, strict=True)]


def attention(text: str, look: Look) -> str:
    """Marked as what needs a human. Only to be used on text that has been cut already."""
    return f"{_ATTENTION}{text}{_PLAIN}" if look.colour else text


# --- values ------------------------------------------------------------------------------------------------------


def words(name: str | None) -> str:
    """A status or reason as words: in_progress → in progress."""
    return (name or "").replace("_", " ")


def volume(of_bytes: int) -> str:
    """A size in the unit that suits it."""
    return f"{of_bytes / 1024:,.0f} KiB" if of_bytes < 1 << 20 else f"{of_bytes / (1 << 20):,.0f} MiB"


def money(usd: float) -> str:
    """Dollars: $3.21."""
    return f"${usd:.2f}"


def spent(usd: float, limit: float | None = None) -> str:
    """What was spent, and of how much: $3.21, or $3.21 of $5.00; nothing when there is neither."""
    if limit:
        return f"{money(usd)} of {money(limit)}"
    return money(usd) if usd else ""


def short_hash(digest: str | None) -> str:
    return clean(digest or "")[:HASH_CHARACTERS]


def epoch(stamp: str | None) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None for anything else."""
    try:
        return datetime.fromisoformat(stamp).timestamp() if stamp else None
    except ValueError:
        return None


def clock(stamp: str | None) -> str:
    """The local time of day."""
    seconds = epoch(stamp)
    return "--:--:--" if seconds is None else time.strftime("%H:%M:%S", time.localtime(seconds))


def moment(stamp: str | None) -> str:
    """Local date and time."""
    seconds = epoch(stamp)
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def local(text: str) -> str:
    """What the daemon says, with its moments as all others are shown."""
    return _STAMPS.sub(lambda found: moment(found[0]), text) if "Z" in text else text


def span(seconds: float) -> str:
    """A duration: 06:12, or 1:02:03 from an hour on."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def since(stamp: str | None, look: Look) -> str:
    """How long ago a moment was, as a duration."""
    seconds = epoch(stamp)
    return "" if seconds is None else span(look.now - seconds)


def lasted(seconds: float) -> str:
    """A duration to be read once: 12 s, 38 min, 2 h 05 min."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return f"{max(0, int(seconds))} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def folder(path: str, look: Look) -> str:
    """A path with ~ for the home folder."""
    path = clean(path)
    if look.home and (path == look.home or path.startswith(look.home + "/")):
        return "~" + path[len(look.home) :]
    return path
