"""Every limit of the journal, by name."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MIB: Final = 1024 * 1024

LINE_CEILING: Final = 16 * MIB
"""Bytes. No journal holds a longer line, whatever `record_bytes` was when it was written."""


class Limits(Struct, frozen=True, kw_only=True):
    """Bytes, counts and microseconds, as the names say."""

    record_bytes: int = MIB  # one line, line feed included
    segment_bytes: int = 64 * MIB  # a segment that has reached this is followed by a new one
    reserve_bytes: int = 4 * MIB  # disk space set aside past the end of the newest segment
    chunk_bytes: int = 128 * 1024  # read at once in a replay
    slice_us: float = 1000.0  # a long read lets others run after this
