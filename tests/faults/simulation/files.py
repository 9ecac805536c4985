"""The small files of the machine: configurations, prompts, results, reports. They are there as soon as written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from tests.faults.simulation.world import Hands, World

T = TypeVar("T")
Taken = TypeVarTuple("Taken")


class SimFiles:
    """All files outside the journal, by their paths."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.contents: dict[str, bytes] = {}

    def read(self, path: Path) -> bytes | None:
        """What is in a file; None when there is none."""
        return self.contents.get(str(path))


class FilesInHand(Hands):
    """`adapters.files.Files`, and the threads that the daemon works in, of one life."""

    def is_there(self, path: Path) -> bool:
        self.touch()
        return str(path) in self.world.files.contents or self.world.repositories.stands(path)

    def folders_in(self, folder: Path) -> list[str]:
        self.touch()
        return []

    def read_bounded(self, path: Path, most: int) -> bytes | str | None:
        self.touch()
        return self.world.files.read(path)

    def read_text(self, path: Path) -> str | None:
        self.touch()
        found = self.world.files.read(path)
        return None if found is None else found.decode()

    def make_folder(self, folder: Path) -> None:
        self.touch()

    def write_new(self, path: Path, text: str) -> bool:
        self.touch()
        return self.world.files.contents.setdefault(str(path), text.encode()) == text.encode()

    def write_durable(self, folder: Path, contents: Mapping[str, bytes]) -> None:
        self.touch()
        if self.world.chance(self.world.weather.troubles):
            self.world.meet("trouble: unwritable report")
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        self.world.files.contents |= {str(folder / name): content for name, content in contents.items()}

    def write_private(self, path: Path, text: str) -> None:
        self.touch()
        self.world.files.contents[str(path)] = text.encode()

    async def in_thread(self, work: Callable[[*Taken], T], /, *args: *Taken) -> T:
        """The work of a thread, all of it at one moment of the loop."""
        await self.moment("work in a thread", 0.01)
        return work(*args)
