"""The words of the processes adapter: what is asked of an attempt, and what its folder durably says about it.

`Identity` is `started.json`, `Exit` is `exit.json`; both are written by the shim (an `Exit` of reason never_started by
`fence`). Neither has defaults where a default could turn a damaged file into a success.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct, field

Reason = Literal["", "stopped", "timeout", "idle", "output", "memory", "spawn_failed", "never_started"]
Stream = Literal["stdout", "stderr"]

_WITHOUT_A_PROGRAM: Final = frozenset({"spawn_failed", "never_started"})


class AttemptSpec(Struct, frozen=True, kw_only=True):
    """What to run. Paths are absolute; limits are in seconds and bytes, and 0 means no limit.

    `env` is the program's whole environment (`GOLEM_INSTANCE` and `GOLEM_ATTEMPT` are set by the runner). Its values
    are secrets: they never reach the disk or a repr. `stdin` is a file to read from; None is /dev/null.
    """

    attempt: str
    argv: tuple[str, ...]
    cwd: str
    env: dict[str, str] = field(default_factory=dict)
    stdin: str | None = None
    wall_seconds: float = 0.0
    idle_seconds: float = 0.0
    output_bytes: int = 0
    memory_bytes: int = 0
    grace_seconds: float = 5.0

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name != "env")
        return f"AttemptSpec({shown}, env=<{len(self.env)} hidden>)"


class Identity(Struct, frozen=True, kw_only=True):
    """Who runs: `pid` is the program's, `shim_pid` its shim's; the starts are /proc start times in ticks."""

    v: Literal[1]
    attempt: str
    pid: int
    start: int
    shim_pid: int
    shim_start: int
    boot_id: str
    at: str

    def __post_init__(self) -> None:
        if min(self.pid, self.shim_pid) <= 1 or min(self.start, self.shim_start) <= 0:
            raise ValueError("pids are above 1 and start times above 0")


class Exit(Struct, frozen=True, kw_only=True):
    """How an attempt ended. A program that ran has either an exit `status` or a `signal`, one that did not has neither.

    `survivors`: processes of other users, not to be ended, which go on; a program that is one of them has neither.

    `reason` "" means that it ended by itself. `stage` says where a spawn failed (reserve, logs, stdin, fork, identity,
    cwd, exec) and `errno` why. `cpu_s` and `max_rss_kb` are over the program and all its descendants. `oom_kills`: how
    many of them the kernel has ended for memory, as far as it tells; `memory_limit`: the limit of the attempt that was
    reached, in bytes, 0 when it was none of its own.
    """

    v: Literal[1]
    attempt: str
    status: int | None
    signal: int | None
    reason: Reason
    errno: int | None
    duration_s: float
    cpu_s: float
    max_rss_kb: int
    ended_descendants: int
    at: str
    stage: str = ""
    oom_kills: int = 0
    memory_limit: int = 0
    survivors: int = 0

    def __post_init__(self) -> None:
        ends = (self.status is not None) + (self.signal is not None)
        survived = self.survivors > 0 and self.reason != "" and ends == 0
        if not survived and ends != (0 if self.reason in _WITHOUT_A_PROGRAM else 1):
            raise ValueError(f"reason {self.reason!r} with status {self.status} and signal {self.signal}")


class Lost(Struct, frozen=True, kw_only=True):
    """The shim is gone and left no end: what became of the program is unknown, and never a success."""

    attempt: str
    identity: Identity | None


class Observation(Struct, frozen=True, kw_only=True):
    """What the folder says just now: is its lock `held`, and which records can be read. Unknown attempts have none.

    `started` is whether `started.json` is there at all. One that cannot be read is no identity, but it proves that the
    program may have run.
    """

    held: bool
    started: bool
    identity: Identity | None
    exit: Exit | None


class Verdict(StrEnum):
    """What to do with an attempt found at start."""

    ADOPT = "adopt"
    STARTING = "starting"
    FINISHED = "finished"
    LOST = "lost"
    NEVER_STARTED = "never_started"


_VERDICTS: Final[dict[tuple[bool, bool, bool, bool], Verdict]] = {
    # held, started, exited, same boot
    (True, True, False, True): Verdict.ADOPT,
    (True, True, False, False): Verdict.LOST,
    (True, False, False, True): Verdict.STARTING,
    (True, False, False, False): Verdict.STARTING,
    (False, True, False, True): Verdict.LOST,
    (False, True, False, False): Verdict.LOST,
    (False, False, False, True): Verdict.NEVER_STARTED,
    (False, False, False, False): Verdict.NEVER_STARTED,
}


def verdict(held: bool, started: bool, exited: bool, same_boot: bool) -> Verdict:
    """The adoption verdict. A durable end is final whatever else is true; `same_boot` is that of `started.json`."""
    return Verdict.FINISHED if exited else _VERDICTS[held, started, exited, same_boot]
