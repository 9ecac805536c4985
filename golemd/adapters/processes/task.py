"""What a shim is given to do: an attempt's spec, checked, and in the form that a program without imports can read."""

from __future__ import annotations

import marshal
import math
import os
from typing import Final

from golemd.adapters.processes.records import AttemptSpec
from golemd.api.faults import Invalid

DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


def check(spec: AttemptSpec) -> None:
    """Raises Invalid `bad_spec` for what no program can be started with."""
    texts = [*spec.argv, *spec.env, *spec.env.values(), spec.cwd, spec.stdin or ""]
    limits = [spec.wall_seconds, spec.idle_seconds, spec.output_bytes, spec.memory_bytes, spec.grace_seconds]
    problems = {
        "argv is empty": not spec.argv or not spec.argv[0],
        "a NUL is in argv, env or a path": any("\0" in text for text in texts),
        "a name in env is empty or holds =": any(not name or "=" in name for name in spec.env),
        "cwd is not absolute": not os.path.isabs(spec.cwd),
        "stdin is not absolute": spec.stdin is not None and not os.path.isabs(spec.stdin),
        "a limit is negative or not finite": any(limit < 0 or not math.isfinite(limit) for limit in limits),
    }
    for problem, there in problems.items():
        if there:
            raise Invalid("bad_spec", f"attempt {spec.attempt!r}: {problem}")


def marshalled(spec: AttemptSpec, env: dict[str, str], boot_id: str) -> bytes:
    """The spec as the shim reads it: system strings as bytes, and the places where the program may be."""
    name = spec.argv[0]
    places = [""] if "/" in name else [f"{place or '.'}/" for place in env.get("PATH", DEFAULT_PATH).split(":")]
    fields = {
        "attempt": spec.attempt,
        "boot_id": boot_id,
        "programs": [os.fsencode(place + name) for place in places],
        "argv": [os.fsencode(text) for text in spec.argv],
        "env": {os.fsencode(key): os.fsencode(value) for key, value in env.items()},
        "cwd": os.fsencode(spec.cwd),
        "stdin": os.fsencode(spec.stdin or os.devnull),
        "wall_seconds": float(spec.wall_seconds),
        "idle_seconds": float(spec.idle_seconds),
        "output_bytes": spec.output_bytes,
        "memory_bytes": spec.memory_bytes,
        "grace_seconds": float(spec.grace_seconds),
    }
    return marshal.dumps(fields)
