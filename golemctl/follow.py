"""Records as they become durable and logs as they are written, across lags and restarts of the daemon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from golemctl.client import Client, DaemonUnreachable, Disconnected, Following
from golemctl.render.records import pruned_note
from golemctl.render.text import clean
from golemd.api.calls import EventsFollow, LogsFollow
from golemd.api.faults import Fault, Internal, Unavailable

PATIENCE_SECONDS: Final = 60.0
"""How long a daemon that went away is waited for."""
BETWEEN_TRIES_SECONDS: Final = 1.0

_GOING: Final = (Disconnected, Unavailable, Internal)
"""How a follow ends with its daemon, which may say so before it closes."""


class Records:
    """A follow of the journal that goes on where it was: after a lag, and when the daemon comes back.

    `connect` makes a client of wherever the daemon is now; `tell` says to people what happens to the connection.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        call: EventsFollow,
        tell: Callable[[str], None],
        *,
        patience: float = PATIENCE_SECONDS,
        between_tries: float = BETWEEN_TRIES_SECONDS,
    ) -> None:
        self._connect = connect
        self._call = call
        self._tell = tell
        self._patience = patience
        self._between_tries = between_tries
        self._following: Following | None = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            record = self.take()
            if record is not None:
                yield record

    def take(self, seconds: float | None = None) -> dict[str, Any] | None:
        """The next record; None when none came within `seconds`. Raises DaemonUnreachable when it stays away."""
        following = self._following or self._follow()
        try:
            notice = following.take(seconds)
        except _GOING:
            self.close()
            _back(self._follow, self._tell, self._patience, self._between_tries)
            return None
        if notice is None:
            return None
        if notice.method == "event":
            record: dict[str, Any] = notice.data["record"]
            self._resume_at(record["seq"] + 1)
            return record
        self.close()  # `lagged` or `ended`: follow again
        self._resume_at(notice.data.get("resume_seq") or self._call.since)
        return None

    def close(self) -> None:
        if self._following is not None:
            self._following.close()
            self._following = None

    def _follow(self) -> Following:
        self._following = self._connect().follow(self._call)
        started = self._following.started
        if started.pruned:
            self._tell(pruned_note(started.pruned))
        if self._call.since is None or started.pruned:
            self._resume_at(started.since)
        return self._following

    def _resume_at(self, seq: int | str | None) -> None:
        self._call = msgspec.structs.replace(self._call, since=seq)


def log_pieces(
    connect: Callable[[], Client],
    call: LogsFollow,
    tell: Callable[[str], None],
    *,
    patience: float = PATIENCE_SECONDS,
    between_tries: float = BETWEEN_TRIES_SECONDS,
) -> Iterator[dict[str, Any]]:
    """What an attempt writes, until it is over. The attempt found first is kept to, should a newer one begin."""

    def follow() -> Following:
        return connect().follow(call)

    following = follow()
    if following.started.attempt != call.id:
        tell(f"{clean(following.started.attempt or '')}:")
    try:
        while True:
            call = msgspec.structs.replace(call, id=following.started.attempt or call.id)
            try:
                notice = following.take()
            except _GOING:
                following.close()
                following = _back(follow, tell, patience, between_tries)
                continue
            if notice is None:
                continue
            if notice.method == "ended":
                return
            if notice.method == "log":
                yield notice.data
                call = msgspec.structs.replace(call, offset=notice.data["next"])
                continue
            following.close()  # `lagged`: follow again
            call = msgspec.structs.replace(call, offset=notice.data["resume_seq"])
            following = follow()
    finally:
        following.close()


def _back(
    follow: Callable[[], Following], tell: Callable[[str], None], patience: float, between_tries: float
) -> Following:
    """Wait for a daemon, and follow it. Raises DaemonUnreachable when it stays away."""
    tell(f"golemd has gone away; waiting up to {patience:g} s for it to come back.")
    deadline = time.monotonic() + patience
    while True:
        try:
            following = follow()
        except (Unavailable, Internal) as fault:
            if time.monotonic() + between_tries > deadline:
                raise _gone(fault) from fault
        else:
            tell("golemd is back.")
            return following
        time.sleep(between_tries)


def _gone(fault: Fault) -> DaemonUnreachable:
    hint = f"{fault.hint or 'Start it in another terminal: golemd'}\nWhat was dispatched goes on then."
    return DaemonUnreachable("daemon_gone", f"golemd has not come back. {fault.message}", hint, **fault.data)
