"""Files and folders of the simulated disk: what programs see, what the device holds, and what a crash may make of it.

The rules are those of `golemd/adapters/disk.py`, and `outcomes` are all that they allow, up to a reasonable number:

* Of a file's unsynced bytes each sector may be the old or the new one; new sectors may also hold garbage, zeros or
  what another file left there; the file may end anywhere between its old and its new size.
* Of names that were made, replaced or removed since the folder's last sync any selection may be there, in their order.
  A rename may leave both names; it never loses both.
* A failed sync may write nothing and still count the pages as clean: the cache shows them, the device has them not, and
  no later sync writes them. Only dropping the cache tells.
"""

from __future__ import annotations

import hashlib
from itertools import chain, combinations, product
from typing import Final

SECTOR: Final = 512
EVERY_PATTERN: Final = 5  # up to so many unsynced sectors every selection of them is an outcome
EVERY_CHANGE: Final = 4  # up to so many unsynced changes of names every selection of them is one


class File:
    """`data` is the cache, `durable` the device; `lost`: sectors that count as clean although the device lacks them."""

    def __init__(self, content: bytes = b"") -> None:
        self.data = bytearray(content)
        self.durable = content
        self.ends: list[int] = []  # sizes between the writes since the last sync
        self.lost: set[int] = set()
        self.reserved = 0

    @property
    def settled(self) -> bool:
        return self.data == self.durable

    def write(self, offset: int, data: bytes | memoryview) -> None:
        self.ends.append(len(self.data))
        self.data[offset : offset + len(data)] = data
        self.lost.difference_update(range(offset // SECTOR, (offset + len(data) - 1) // SECTOR + 1))

    def truncate(self, size: int) -> None:
        self.ends.append(len(self.data))
        del self.data[size:]
        self.lost = {sector for sector in self.lost if sector * SECTOR < size}

    def sync(self, seen: bytes) -> None:
        """The device has what the cache held when the sync began, but for what counted as clean."""
        self.durable = _mixed(self.durable, seen, self.lost)
        self.ends.clear()

    def lose(self) -> None:
        """A sync failed: nothing was written, and the pages count as clean from now on."""
        self.lost.update(_differing(self.durable, bytes(self.data)))
        self.ends.clear()

    def drop_cache(self) -> None:
        """Clean pages are read again from the device."""
        self.data[:] = _mixed(self.durable, bytes(self.data), self.lost)
        self.lost.clear()

    def copy(self) -> File:
        twin = type(self)(self.durable)
        twin.data[:] = self.data
        twin.ends, twin.lost, twin.reserved = list(self.ends), set(self.lost), self.reserved
        return twin

    def outcomes(self) -> list[bytes]:
        """What may be found after a crash; first all that was written, last nothing of it."""
        old = self.durable
        if old == self.data:
            return [old]
        new = bytes(self.data)
        if len(new) < len(old):
            return [new, old]
        found = dict.fromkeys([new, *self._selections(old, new), *self._foul(old, new), *self._cut(old, new)])
        found.pop(old, None)
        return [*found, old]

    def _selections(self, old: bytes, new: bytes) -> list[bytes]:
        """Some of the sectors were written, the others not."""
        sectors = _differing(old, new)
        if len(sectors) <= EVERY_PATTERN:
            dropped = list(chain.from_iterable(combinations(sectors, n) for n in range(1, len(sectors) + 1)))
        else:
            dropped = [*((one,) for one in sectors), *(tuple(s for s in sectors if s != one) for one in sectors)]
        return [_mixed(old, new, set(some)) for some in dropped]

    def _foul(self, old: bytes, new: bytes) -> list[bytes]:
        """One sector is garbage: behind the old end what the device held there before, elsewhere torn in the middle."""
        found = []
        for sector in _differing(old, new):
            start, end = sector * SECTOR, min((sector + 1) * SECTOR, len(new))
            if start >= len(old):
                noise = hashlib.shake_128(b"%d" % sector).digest(SECTOR)
                fills = [noise, old[:SECTOR].ljust(SECTOR, b"\n")]
            else:
                half = (start + end) // 2
                fills = [new[start:half] + old[half:end].ljust(end - half, b"\0")]
            found += [new[:start] + fill[: end - start] + new[end:] for fill in fills]
        return found

    def _cut(self, old: bytes, new: bytes) -> list[bytes]:
        """The file ends between its old and its new size: between two writes, or lines, or bytes, or sectors."""
        lines = [at + 1 for at in range(len(old), len(new)) if new[at] == 0x0A]
        near = [len(old) + 1, len(new) - 1, *self.ends, *lines, *(at - 1 for at in lines)]
        sectors = range(len(old) // SECTOR * SECTOR, len(new), SECTOR)
        return [new[:size] for size in sorted({*near, *sectors}, reverse=True) if len(old) < size < len(new)]


class Link(File):
    """A symbolic link. Its names count as durable at once: it is there for people, and nothing is read through it."""


Change = tuple[tuple[str, "Node | None"], ...]
"""Names and what they stand for from then on (None: nothing), one after the other."""


class Folder:
    """`entries` is what programs see, `durable` what the device holds, `pending` leads from the one to the other."""

    def __init__(self) -> None:
        self.entries: dict[str, Node] = {}
        self.durable: dict[str, Node] = {}
        self.pending: list[Change] = []

    def change(self, *names: tuple[str, Node | None]) -> None:
        _apply(self.entries, names)
        self.pending.append(names)

    def sync(self) -> None:
        for names in self.pending:
            _apply(self.durable, names)
        self.pending.clear()

    def outcomes(self) -> list[dict[str, Node]]:
        """Which names may be found after a crash; first all of the changes, last none of them."""
        pending = self.pending
        if sum(len(_counts(names)) > 1 for names in pending) <= EVERY_CHANGE:
            chosen = product(*map(_counts, pending))
            return [self._found(counts) for counts in chosen]
        whole = [len(names) for names in pending]
        beginnings = [whole[:n] + [0] * (len(whole) - n) for n in range(len(whole), -1, -1)]
        without_one = [[*whole[:n], 0, *whole[n + 1 :]] for n in range(len(whole))]
        return [self._found(counts) for counts in [beginnings[0], *without_one, *beginnings[1:]]]

    def _found(self, counts: tuple[int, ...] | list[int]) -> dict[str, Node]:
        found = dict(self.durable)
        for names, count in zip(self.pending, counts, strict=True):
            _apply(found, names[:count])
        return found


Node = File | Folder


def _counts(names: Change) -> list[int]:
    """How many of the names of a change may have been made durable."""
    if any(isinstance(node, Link) for _, node in names):
        return [len(names)]
    return list(range(len(names), -1, -1))


def _apply(entries: dict[str, Node], names: Change) -> None:
    for name, node in names:
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


def _differing(old: bytes, new: bytes) -> list[int]:
    """The sectors in which the two differ."""
    size = max(len(old), len(new))
    return [n for n in range(-(-size // SECTOR)) if old[n * SECTOR : (n + 1) * SECTOR] != new[n * SECTOR :][:SECTOR]]


def _mixed(old: bytes, new: bytes, kept: set[int]) -> bytes:
    """The new bytes, but for the kept sectors of the old ones; zeros where those had nothing."""
    if not kept:
        return new
    before = old.ljust(len(new), b"\0")
    image = bytearray(new)
    for sector in kept:
        image[sector * SECTOR : (sector + 1) * SECTOR] = before[sector * SECTOR : (sector + 1) * SECTOR][: len(new)]
    return bytes(image[: len(new)])
