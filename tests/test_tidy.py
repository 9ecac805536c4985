"""Properties of the source: the rings hold, nothing is declared that cannot be reached, every limit has its name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
import pytest

import golemd
from golemd.api import calls, events
from golemd.core.decide import _ASKED, _OWN
from golemd.core.evolve import EFFECTS
from golemd.engine import effects, queries, streams
from golemd.engine.snapshots import FOLDING
from golemd.settings import Limits

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = sorted([*(ROOT / "golemd").rglob("*.py"), *(ROOT / "golemctl").rglob("*.py")])
MAX_LINES: Final = 420  # about 400, with room for one more line
ASKING_THE_WORLD: Final = frozenset(
    {"time", "random", "secrets", "uuid", "datetime", "subprocess", "threading", "socket", "pwd"}
)
BESIDE_THE_SEAMS: Final = frozenset(
    {"trio.to_thread", "trio.from_thread", "trio.Path", "os.getpid", "os.scandir", "GitWorkspaces", "LocalRunner"}
)
SEAMS: Final = frozenset({"files", "machine", "clock", "disk"})  # adapters whose names the engine is given as parts


def test_the_rings_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_says_what_it_is_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if text:
        assert ast.get_docstring(ast.parse(text)), "a module begins with what it is"
    assert len(text.splitlines()) <= MAX_LINES, "two things in one file"


@pytest.mark.parametrize("part", ["api", "core", "engine"])
def test_time_dice_and_processes_are_given_never_reached_for(part: str) -> None:
    for path in (ROOT / "golemd" / part).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
            assert not names & ASKING_THE_WORLD, f"{path}: {names}"


def test_the_engine_goes_through_the_seams_that_it_is_given() -> None:
    for path in (ROOT / "golemd" / "engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "golemd.adapters":
                assert not {alias.name for alias in node.names} & SEAMS, path
            elif isinstance(node, ast.Attribute | ast.Name):
                assert ast.unparse(node) not in BESIDE_THE_SEAMS, path


@pytest.mark.parametrize("method", sorted(calls.CALLS))
def test_every_call_is_documented_answered_reachable_and_tested(method: str) -> None:
    call = calls.CALLS[method]
    assert call.__doc__
    assert call.__doc__.endswith(".")
    assert calls.reply_type(call) is not None
    answered = {*_ASKED, *queries.QUERIES, *streams.STREAMS, calls.Shutdown}
    assert call in answered, "nothing answers it"
    client = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "golemctl").rglob("*.py"))
    by_hand = method in ("describe", "project.remove")
    assert by_hand or f"calls.{call.__name__}" in client, "no command of golemctl asks it"
    assert (ROOT / "tests" / "path" / f"test_{method.replace('.', '_')}.py").exists(), "it has no path test"


@pytest.mark.parametrize("kind", sorted(events.EVENTS))
def test_every_event_has_a_tag_of_its_own_and_a_fold(kind: str) -> None:
    event = events.EVENTS[kind]
    assert event.__dict__["TYPE"] == kind
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind)
    assert event in EFFECTS


@pytest.mark.parametrize("kind", sorted(events.EVENTS))
def test_every_event_has_a_golden_example(kind: str) -> None:
    journal = (ROOT / "tests" / "golden" / golemd.__version__ / "state" / "journal").glob("*.jsonl")
    found = any(f'"type":"{kind}",' in path.read_text(encoding="utf-8") for path in journal)
    assert found, "until this release is out: rm -r its folder in tests/golden, then python -m tests.golden.make"


def test_every_effect_and_every_command_of_the_daemon_has_its_row() -> None:
    from golemd.core import commands, plan

    assert set(effects._EFFECTS) == set(plan.Effect.__subclasses__())
    assert {*_OWN, commands.Asked} == set(commands.Command.__subclasses__())


def test_a_snapshot_knows_all_the_code_that_made_its_state() -> None:
    known = {module.__name__ for module in FOLDING} | {"golemd.api.faults"}  # which are raised, never kept
    for source in SOURCES:
        name = ".".join(source.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        folds = _is_among(name, {"golemd.core.index", "golemd.core.state", "golemd.core.evolve"})
        if not folds and not (name.startswith("golemd.api.") and _is_among(name, known)):
            continue
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            named = {f"{module}.{alias.name}" for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            used = {each for each in (module, *named) if each.startswith("golemd.") and each in sys.modules}
            lacking = {each for each in used - {"golemd.api", "golemd.core"} if not _is_among(each, known)}
            assert not lacking, f"{name} makes states with {lacking}, which FOLDING in engine.snapshots lacks"


def _is_among(name: str, modules: set[str]) -> bool:
    """Whether it is one of these modules, or in one that is a package."""
    return any(name == each or name.startswith(f"{each}.") for each in modules)


def test_every_limit_is_documented() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for field in msgspec.structs.fields(Limits):
        assert f"`{field.name}`" in readme, f"the README does not name the limit {field.name}"


def test_the_top_level_holds_nothing_else() -> None:
    allowed = {"pyproject.toml", "golemd", "golemctl", "tests", "systemd", "README.md", "LICENSE"}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = {line.split("/", 1)[0] for line in listed.splitlines()}
    assert {top for top in tops if not top.startswith(".")} <= allowed
