"""What has happened, in order: for people to read, and as a digest that two runs of one seed must share."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from typing import Final

KEPT: Final = 20_000  # lines, for whoever reads it


class History:
    """Lines of time (seconds since the beginning), who and what."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._hash = hashlib.blake2b(digest_size=16)
        self.lines: deque[str] = deque(maxlen=KEPT)
        self.length = 0

    def tell(self, who: str, what: str) -> None:
        """One more line."""
        line = f"{self._clock():14.6f}  {who:<8}  {what}"
        self._hash.update(line.encode() + b"\n")
        self.lines.append(line)
        self.length += 1

    @property
    def digest(self) -> str:
        """Stands for all that was told."""
        return self._hash.hexdigest()
