"""Letting time pass for a daemon that does not run: its journal is written anew, as if it were older."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

from golemd.adapters.journal.head import Mark, to_slot
from golemd.adapters.journal.line import SEAL_BYTES, VERSION, ZERO_HASH, seal

_TS = re.compile(rb'(?<="ts":")[^"]+')
_PREV = re.compile(rb'(?<="prev":")[0-9a-f]{32}(?="$)')
_FORM = "%Y-%m-%dT%H:%M:%S.%fZ"


def age(state: Path, passed: timedelta) -> None:
    """Everything that has happened in a state folder happened so much earlier. What is planned keeps its moment."""

    def earlier(stamp: re.Match[bytes]) -> bytes:
        return (datetime.strptime(stamp[0].decode(), _FORM) - passed).strftime(_FORM).encode()

    seq, last = 0, ZERO_HASH
    for segment in sorted((state / "journal").glob("*.jsonl")):
        lines = []
        for line in segment.read_bytes().splitlines():
            body = _TS.sub(earlier, line[:-SEAL_BYTES], count=1)
            lines.append(seal(_PREV.sub(last.encode(), body)))
            record = json.loads(lines[-1])
            seq, last = record["seq"], record["h"]
        segment.write_bytes(b"".join(line + b"\n" for line in lines))
    (state / "head").write_bytes(to_slot(Mark(VERSION, seq, last)) * 2)
