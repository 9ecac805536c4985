"""`golemd.toml`: the daemon's own settings, and every limit by name.

Rules. Without a file, `Settings()` holds. The table of keys is read by the same machinery as a project's file; the
caller reads the file itself. Sizes called `_mb` and `_gb` are in units of 2**20 and 2**30 bytes.
"""

from __future__ import annotations

import re
from typing import Any, Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from golemd.core.golem_toml import AT_LEAST_ONE, COMMANDS, COUNT, ENVIRONMENT, LONGEST_MINUTES, VARIABLES
from golemd.core.keys import Keys, Place, Problem, later, number, one_of, ordered, shown, table, text, typed, whole
from golemd.core.toml import SyntaxProblem, parse

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30
LEAST_MEMORY_MB: Final = 64
MOST_MEMORY_MB: Final = 1 << 30


class Limits(Struct, frozen=True):
    """What clients may ask of the socket, how long people are tried to be told, and what the journal holds."""

    # the socket
    message_bytes: int = MIB  # one message
    nesting: int = 32  # lists and maps in each other
    elements: int = 65_536  # values in one message
    connections: int = 64  # clients at once
    in_flight: int = 32  # calls of one connection that are not answered yet
    finish_seconds: float = 5.0  # from a message's first byte to its last
    follower_bytes: int = MIB  # unread by a follower, before it is cut off
    # telling people
    notify_seconds: float = 30.0  # one try of a notification
    notify_tries: int = 4  # of one notification, before it is given up
    # the journal
    record_bytes: int = MIB  # one line
    segment_bytes: int = 64 * MIB  # one file, before the next is begun
    reserve_bytes: int = 4 * MIB  # disk space that the newest file holds in reserve
    tokens: int = 100_000  # commands that are recognised when they are repeated
    token_days: int = 7  # and for how long
    snapshot_events: int = 50_000  # between two snapshots


class Notify(Struct, frozen=True):
    """The program that is run when something waits for a person; when empty, notify-send where there is a desktop."""

    command: tuple[str, ...] = ()


class Environment(Struct, frozen=True):
    """What every agent's environment has beside the allow-list. `path` replaces the login shell's PATH.

    The values of `variables` (`set` in the file) may be secrets, so its repr has only their names.
    """

    variables: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    path: str = ""

    def __repr__(self) -> str:
        return f"Environment({sorted(self.variables)!r}, pass_env={self.pass_env!r}, path={self.path!r})"


class Settings(Struct, frozen=True):
    """The daemon's settings. `idle_timeout_minutes` and `logs_days`: 0 is no limit; an empty `worktree_root` is the
    state folder. `max_memory_mb` is of each attempt with all its processes; 0 is what `on_machine` makes of it.
    """

    max_agents: int = 4
    max_concurrent_runs: int = 4
    on_stop: str = "end"  # end | keep
    worktree_root: str = ""
    min_free_gb: float = 5.0
    min_free_memory_mb: int = 1024
    max_memory_mb: int = 0
    max_output_mb: int = 200
    idle_timeout_minutes: float = 15.0
    logs_days: int = 30
    notify: Notify = Notify()
    environment: Environment = Environment()
    limits: Limits = Limits()

    def on_machine(self, memory_bytes: int) -> Settings:
        """The same on a machine with so much memory: by default an attempt may use all but what is to stay free, so
        that one that runs away meets its own limit before it meets everybody's; half of all where that is little.
        """
        total_mb = memory_bytes // MIB
        default = max(total_mb - self.min_free_memory_mb, total_mb // 2)
        return replace(self, max_memory_mb=self.max_memory_mb or default)


def read_settings(content: str, file: str) -> Settings | list[Problem]:
    """Read `golemd.toml`: the settings, or everything that is wrong with it. `file` is how messages call it."""
    document = parse(content)
    if isinstance(document, SyntaxProblem):
        return [Problem(file, document.line, "", document.message)]
    place = Place(file, document, {})
    settings: Settings = SETTINGS(place, document.data)
    return list(ordered(place.found.values())) or settings


def waiting(began: Limits, now: Limits) -> tuple[str, ...]:
    """The names of the limits with which a daemon did not begin, and that come into force only when it does again."""
    return tuple(name for name in AT_START if getattr(began, name) != getattr(now, name))


def _environment(**given: Any) -> Environment:  # noqa: ANN401 - values that the table has checked
    names = {"set": "variables", "pass": "pass_env"}  # one is a builtin's name in Python, the other a keyword
    return Environment(**{names.get(key, key): value for key, value in given.items()})


def _memory(place: Place, value: Any) -> Any:  # noqa: ANN401 - a Reader
    """A memory limit in which an agent can at least start, or 0 for the default."""
    if not typed(place, value, int):
        return UNSET
    if value == 0 or LEAST_MEMORY_MB <= value <= MOST_MEMORY_MB:
        return value
    return place.refuse(f"must be 0, or between {LEAST_MEMORY_MB} and {MOST_MEMORY_MB}, not {shown(value)}")


LIMITS: Final[Keys] = {
    "message_bytes": whole(4 * KIB, GIB),
    "nesting": whole(8, 128),
    "elements": whole(KIB, 1 << 26),
    "connections": whole(1, 4096),
    "in_flight": whole(1, 4096),
    "finish_seconds": number(0.1, 3600.0),
    "follower_bytes": whole(4 * KIB, GIB),
    "notify_seconds": number(0.1, 3600.0),
    "notify_tries": whole(1, 20),
    "record_bytes": whole(64 * KIB, GIB),
    "segment_bytes": whole(64 * KIB, 64 * GIB),
    "reserve_bytes": whole(64 * KIB, GIB),
    "tokens": later(whole(1, 10_000_000), 100_000),
    "token_days": later(whole(1, 365), 7),
    "snapshot_events": whole(100, 1_000_000_000),
}
AT_START: Final = (
    *("message_bytes", "nesting", "elements", "connections", "in_flight", "finish_seconds", "follower_bytes"),
    *("record_bytes", "segment_bytes", "reserve_bytes"),
)
"""Limits that the socket and the journal are made with: a change of them waits for the next start."""
SETTINGS: Final = table(
    Settings,
    {
        "max_agents": AT_LEAST_ONE,
        "max_concurrent_runs": AT_LEAST_ONE,
        "on_stop": one_of("end", "keep"),
        "worktree_root": text(rule=re.compile(r"(?:/.*)?", re.DOTALL), meaning="an absolute path, or empty"),
        "min_free_gb": number(0.0, 1e6),
        "min_free_memory_mb": COUNT,
        "max_memory_mb": _memory,
        "max_output_mb": AT_LEAST_ONE,
        "idle_timeout_minutes": number(0.0, LONGEST_MINUTES),
        "logs_days": COUNT,
        "notify": table(Notify, {"command": COMMANDS}),
        "environment": table(_environment, {"set": ENVIRONMENT, "pass": VARIABLES, "path": text()}),
        "limits": table(Limits, LIMITS),
    },
)
"""The whole file."""
