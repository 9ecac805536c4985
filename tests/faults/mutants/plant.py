"""Plants each defect in a copy of the sources, lets its finder look, and restores the copy.

What nobody finds is a violation, and so is a finder that finds something where nothing is planted, and a defect whose
text is no longer there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.faults.mutants.table import MUTANTS, TESTS, Mutant
from tests.faults.proof import Tally

SOURCES: Final = Path(__file__).resolve().parents[3]
COPIED: Final = ("golemd", "golemctl", "tests", "pyproject.toml")
AT_ONCE: Final = 2
FINDER_SECONDS: Final = 300.0
CONTROL_CASES: Final = 1000
FOUND: Final = 1  # the exit status of a finder that has found something; pytest's, too
SAID: Final = 600  # characters of what a finder said that are told


class Outdated(Exception):
    """A defect cannot be planted: its text is not there exactly once, or what it becomes is no Python."""


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the sources in a temporary place."""
    with tempfile.TemporaryDirectory(prefix="golem-mutants-") as place:
        copy = Path(place).resolve()
        for name in COPIED:
            if (SOURCES / name).is_dir():
                shutil.copytree(SOURCES / name, copy / name, symlinks=True)
            else:
                shutil.copy2(SOURCES / name, copy / name)
        yield copy


@contextmanager
def planted(copy: Path, mutant: Mutant) -> Iterator[None]:
    """The defect in the copy, until the end of the block. Raises Outdated."""
    file = copy / mutant.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1 or mutant.old == mutant.new:
        raise Outdated(f"its text is {text.count(mutant.old)} times in {mutant.file}: renew it")
    changed = text.replace(mutant.old, mutant.new)
    try:
        compile(changed, mutant.file, "exec")
    except SyntaxError as error:
        raise Outdated(f"{mutant.file} does not compile with it: {error}") from error
    _write(file, changed)
    try:
        yield
    finally:
        _write(file, text)


def _write(file: Path, text: str) -> None:
    """New text, and no compiled one beside it: the clock is too coarse to tell the two apart."""
    for compiled in file.parent.glob(f"__pycache__/{file.stem}.*"):
        compiled.unlink()
    file.write_text(text, encoding="utf-8")


def look(copy: Path, finder: tuple[str, ...]) -> tuple[int, str]:
    """Run a finder in the copy: its exit status, and the end of what it said. One that hangs has found nothing."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", *finder],
            cwd=copy,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FINDER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, "it came to no end"
    return done.returncode, done.stdout.decode(errors="replace")[-SAID:]


def prove(tally: Tally) -> None:
    """Every defect once, and every finder without one, two at a time. There is nothing more to show after that."""
    finders = controls(MUTANTS)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        parts = [(MUTANTS[at::AT_ONCE], finders[at::AT_ONCE]) for at in range(AT_ONCE)]
        for problems in pool.map(_problems, parts):
            for problem in filter(None, problems):
                tally.violation(problem)
    tally.case(len(MUTANTS))


def controls(mutants: Sequence[Mutant]) -> list[tuple[str, ...]]:
    """Every finder of some mutants once; tests are run together."""
    finders = list(dict.fromkeys(mutant.finder for mutant in mutants))
    names = [name for finder in finders if finder[0] == TESTS[0] for name in finder[len(TESTS) :]]
    proofs = [tuple(briefly(word) for word in finder) for finder in finders if finder[0] != TESTS[0]]
    return [*proofs, *([(*TESTS, *names)] if names else [])]


def briefly(word: str) -> str:
    """A word of a finder with few cases, if it is their number: the proofs are given without defects anyway."""
    return str(min(int(word), CONTROL_CASES)) if word.isdecimal() else word


def _problems(part: tuple[Sequence[Mutant], Sequence[tuple[str, ...]]]) -> list[str]:
    """What is wrong with each of some mutants and finders, in a copy of their own; empty where nothing is."""
    mutants, finders = part
    with copied() as copy:
        return [*(survived(copy, mutant) for mutant in mutants), *(astray(copy, finder) for finder in finders)]


def survived(copy: Path, mutant: Mutant) -> str:
    """Plant a defect; empty when its finder has found it, else what there is to say."""
    try:
        with planted(copy, mutant):
            status, said = look(copy, mutant.finder)
    except Outdated as outdated:
        return f"{mutant.name}: {outdated}"
    return "" if status == FOUND else f"{mutant.name}: {' '.join(mutant.finder)} ends with {status}: {said}"


def astray(copy: Path, finder: tuple[str, ...]) -> str:
    """Let a finder look where nothing is planted; empty when it has found nothing."""
    status, said = look(copy, finder)
    return "" if status == 0 else f"nothing is planted, and {' '.join(finder)} ends with {status}: {said}"
