"""The defects: where each is planted, what the text is there, what it becomes, and who must find it.

The text must be there exactly once. One that is not is out of date, and has to be renewed with the code that it names.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

JOURNAL: Final = "golemd/adapters/journal/"
PROCESSES: Final = "golemd/adapters/processes/"
TESTS: Final = ("pytest", "-q", "-x")
FINDER: Final = "tests.faults.mutants.finder"
CRASHES: Final = (FINDER, "crashes", "9000")
ERRORS: Final = (FINDER, "errors", "1000")
DAMAGES: Final = (FINDER, "damages", "20000")
REPAIRS: Final = (FINDER, "repairs", "2000")
FULL_DISKS: Final = (FINDER, "crashes", "9000", "full disk")
PRUNED: Final = (FINDER, "crashes", "9000", "pruned")
SPOILT: Final = (*TESTS, "tests/adapters/journal/test_snapshots.py")


def _tests(*names: str) -> tuple[str, ...]:
    return (*TESTS, *(f"tests/adapters/processes/{name}" for name in names))


ORDER: Final = _tests("test_order.py")
ADOPTION: Final = "test_adoption.py::test_"
END: Final = "test_end.py::test_"
PROGRAM: Final = "test_program.py::test_"


class Mutant(Struct, frozen=True):
    """One defect. `finder`: what `python -m` is given; it ends with status 1 when it has found something wrong."""

    name: str
    file: str
    old: str
    new: str
    finder: tuple[str, ...]


def _journal(name: str, module: str, old: str, new: str, finder: tuple[str, ...] = CRASHES) -> Mutant:
    return Mutant(name, f"{JOURNAL}{module}.py", old, new, finder)


def _attempt(name: str, module: str, old: str, new: str, finder: tuple[str, ...] = ORDER) -> Mutant:
    return Mutant(name, f"{PROCESSES}{module}.py", old, new, finder)


JOURNAL_MUTANTS: Final = (
    _journal("no fsync", "appender", "        await self._disk.fdatasync(self._file, len(data))\n", ""),
    _journal("no fsync of the folder", "appender", "        await self._disk.sync_folder(segment.path.parent)\n", ""),
    _journal(
        "acknowledged before the fsync",
        "journal",
        "        try:\n            with trio.CancelScope(shield=True):\n                await self._appender",
        "        self._durable = batch.last\n        batch.done.set()\n"
        "        try:\n            with trio.CancelScope(shield=True):\n                await self._appender",
    ),
    _journal(
        "acknowledged after an error",
        "journal",
        "        except Exception as error:\n            raise self._fail(error) from error\n        finally:",
        "        except Exception:\n            pass\n        finally:",
        ERRORS,
    ),
    _journal(
        "fsync tried again after an error",
        "appender",
        "        await self._disk.fdatasync(self._file, len(data))\n",
        "        try:\n            await self._disk.fdatasync(self._file, len(data))\n"
        "        except OSError:\n            await self._disk.fdatasync(self._file, len(data))\n",
        ERRORS,
    ),
    _journal("torn end not cut", "recovery", "        disk.truncate(file, torn.offset)\n", ""),
    _journal("torn end cut without a copy", "recovery", "copy = await _made(", 'copy = "" and await _made('),
    _journal("no hash looked at", "line", "record.h != digest.hexdigest() or ", "", DAMAGES),
    _journal("chain not followed", "line", "record.prev != h or ", "", DAMAGES),
    _journal(
        "head before the fsync",
        "journal",
        "                await self._appender.write(",
        "                self._head.write(Mark(VERSION, batch.last, batch.last_h))\n"
        "                await self._appender.write(",
    ),
    _journal(
        "head never written", "journal", "self._head.write(Mark(VERSION, batch.last, batch.last_h))", "pass", DAMAGES
    ),
    _journal("head not compared with the chain", "walk", "mark.record != walk.hashes[mark.seq]:", "False:", DAMAGES),
    _journal(
        "lost end not noticed",
        "walk",
        "    if durable > walk.end.seq:\n",
        "    marks = [mark for mark in marks if mark.seq <= walk.end.seq]\n    if False:\n",
        DAMAGES,
    ),
    _journal("partial write ignored", "segments", "        view = view[taken:]\n", "        return\n"),
    _journal("command not marked as one", "journal", "more=number < final,", "more=False,"),
    _journal(
        "unfinished command taken for whole",
        "walk",
        "        while whole and records[whole - 1].more:\n",
        "        while False:\n",
    ),
    _journal("watermark ahead of the fsync", "journal", "d=self._durable,", "d=self._seq,"),
    _journal("no reserve", "appender", "if not self._disk.reserve(file, offset, count) and ", "if ", FULL_DISKS),
    _journal("caches believed after a failed fsync", "recovery", "            disk.drop_cache(file)\n", "", ERRORS),
    _journal(
        "what a killed daemon wrote not made durable",
        "recovery",
        "            await disk.fdatasync(file)\n            disk.drop_cache(file)\n",
        "            disk.drop_cache(file)\n",
    ),
    _journal("left-overs not cleared", "recovery", "    _clear(disk, folder)\n    return", "    return"),
    _journal(
        "repair before its copy is whole", "offline", "    await disk.sync_folder(temporary / FOLDER)\n", "", REPAIRS
    ),
    _journal(
        "repair without a copy of the head", "offline", "    if head.NAME in taken:\n", "    if False:\n", REPAIRS
    ),
    _journal(
        "repair writes the head first",
        "offline",
        "        repaired = await _cut(",
        "        await head.create_head(disk, folder, Mark(VERSION, seq, walk.end.h))\n        repaired = await _cut(",
        REPAIRS,
    ),
)

SNAPSHOT_MUTANTS: Final = (
    _journal(
        "snapshot without its digest", "snapshots", "if header.digest != _digest(header, state):", "if False:", SPOILT
    ),
    _journal(
        "snapshot of other folding code",
        "snapshots",
        "if header.fold != codec.fold and not any_fold:",
        "if False:",
        SPOILT,
    ),
    _journal(
        "snapshot of another journal",
        "snapshots",
        "if (record.seq, record.h) != (header.seq, header.h):",
        "if False:",
        SPOILT,
    ),
    _journal(
        "segments before a snapshot not looked at",
        "snapshots",
        "if size < extent.size or (size > extent.size and not is_last):",
        "if False:",
        SPOILT,
    ),
    _journal(
        "snapshot named before it is durable",
        "keeper",
        "            await self._pause()\n        await self._disk.fdatasync(file)\n",
        "            await self._pause()\n",
        PRUNED,
    ),
    _journal(
        "pruned before its snapshots are durable",
        "journal",
        "                await self._disk.sync_folder(self._keeper.folder)",
        "                pass",
        PRUNED,
    ),
    _journal(
        "pruned without two snapshots",
        "journal",
        "return await self._keeper.write(header, state) and self._keeper.are_covered(first)",
        "return await self._keeper.write(header, state)",
        SPOILT,
    ),
    _journal(
        "a pruned journal's first snapshot cleared",
        "keeper",
        "*(seq for seq in seqs if seq == first - 1)",
        "",
        SPOILT,
    ),
)

ATTEMPT_MUTANTS: Final = (
    _attempt("exit.json without fsync", "shim", "        posix.fdatasync(fd)\n", ""),
    _attempt("exit.json without fsync of its folder", "shim", "        posix.fsync(self.fd)\n", ""),
    _attempt(
        "exit.json not whole from the start",
        "shim",
        '        fd = self.open("exit.json.tmp", posix.O_TRUNC)\n',
        '        fd = self.open("exit.json", posix.O_TRUNC)\n        self.open("exit.json.tmp", posix.O_TRUNC)\n',
    ),
    _attempt(
        "started.json after the program",
        "shim",
        '            stage = "identity"\n',
        '            posix.write(opener, b"1")\n            stage = "identity"\n',
    ),
    _attempt(
        "no lock taken",
        "shim",
        "            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            pass\n",
        _tests(f"{ADOPTION}a_shim_that_finds_another_at_work_leaves_the_attempt_to_it"),
    ),
    _attempt(
        "two runs of one attempt",
        "shim",
        'return not {"started.json", "exit.json"}.intersection(posix.listdir(self.fd))',
        "return True",
        _tests(f"{ADOPTION}a_shim_that_finds_a_started_or_ended_attempt_touches_nothing"),
    ),
    _attempt(
        "exit status guessed",
        "shim",
        "code = posix.waitstatus_to_exitcode(self.status)",
        "code = 0",
        _tests(f"{PROGRAM}an_exit_status_is_recorded_with_what_the_program_used"),
    ),
    _attempt(
        "group not ended",
        "shim",
        "                posix.killpg(group, number)\n",
        "                pass\n",
        _tests(f"{END}a_stop_lets_the_program_end_in_its_own_way"),
    ),
    _attempt(
        "escaped descendants not ended",
        "shim",
        "        for pid, (member, start) in tree.items():\n",
        "        for pid, (member, start) in ():\n",
        _tests(f"{END}what_the_program_leaves_behind_is_ended_and_the_status_stays_its_own"),
    ),
    _attempt(
        "the end recorded before the last descendant's",
        "shim",
        "        while self.reap():\n",
        "        while self.reap() and self.status is None:\n",
        _tests(f"{END}what_the_program_leaves_behind_is_ended_and_the_status_stays_its_own"),
    ),
    _attempt(
        "program outlives its shim",
        "shim",
        "        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)\n",
        "",
        _tests(f"{END}sigkill_of_the_shim_takes_the_program_along_and_the_attempt_is_lost"),
    ),
    _attempt(
        "fence overwrites an end",
        "files",
        "                if known is not None:\n",
        "                if False:\n",
        _tests(f"{ADOPTION}a_fence_does_not_close_what_runs_has_ended_or_was_lost"),
    ),
    _attempt(
        "an end that is none believed",
        "files",
        "        if record.attempt != attempt:\n",
        "        if False:\n",
        _tests("test_records.py"),
    ),
    _attempt(
        "a lost attempt run again",
        "records",
        "    (False, True, False, True): Verdict.LOST,\n",
        "    (False, True, False, True): Verdict.NEVER_STARTED,\n",
        _tests(f"{END}sigkill_of_the_shim_takes_the_program_along_and_the_attempt_is_lost"),
    ),
)
MUTANTS: Final = (*JOURNAL_MUTANTS, *SNAPSHOT_MUTANTS, *ATTEMPT_MUTANTS)
