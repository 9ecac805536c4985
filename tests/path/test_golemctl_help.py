"""Help that teaches: every command has its place, and examples that its own parser takes."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from golemctl.app import Ask
from golemctl.commands import SECTIONS, app
from golemctl.declare import Commands
from golemctl.examples import EXAMPLES
from golemctl.parser import group
from tests.path.ground import environment, run_command
from tests.path.test_golemctl_commands import run

ROOT: Final = group(app)


def paths(found: Any, above: str = "") -> Iterator[str]:
    """The words of every command, and of every group, behind golemctl."""
    for name, command in found.commands.items():
        yield f"{above}{name}"
        if hasattr(command, "commands"):
            yield from paths(command, f"{above}{name} ")


COMMANDS: Final = sorted(paths(ROOT))


def test_every_command_that_a_module_has_stands_in_a_section_and_every_one_there_exists() -> None:
    listed = {name: module for names in SECTIONS.values() for name, module in names.items()}
    assert len(listed) == sum(len(names) for names in SECTIONS.values()), "a command stands in two sections"
    for module in set(listed.values()):
        found = Commands()
        importlib.import_module(module).register(found)
        assert set(found._entries) == {name for name, place in listed.items() if place == module}


def test_golemctl_alone_shows_what_people_do_and_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    shown = capsys.readouterr()
    text = shown.out + shown.err
    places = [text.index(f"\n{title}:\n") for title in (*SECTIONS, "Options", "To begin with")]
    assert places == sorted(places)
    assert all(re.search(rf"^  {name} +[A-Zg]", text, re.MULTILINE) for names in SECTIONS.values() for name in names)


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_a_command_ends_with_examples_of_it(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*path.split(), "--help") == 0
    text = capsys.readouterr().out
    before, _, after = text.partition("\nExamples:\n")
    assert "Global options" in before
    shown = [line.strip() for line in after.splitlines()]
    assert shown
    assert tuple(shown) == EXAMPLES[path]
    assert all(f"golemctl {path}" in line for line in shown)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_no_example_is_left_of_a_command_that_is_gone() -> None:
    assert set(EXAMPLES) == {"", *COMMANDS}


@pytest.mark.parametrize("example", [example for examples in EXAMPLES.values() for example in examples])
def test_every_example_is_taken_by_the_parser(example: str) -> None:
    match = re.search(r"golemctl ([^|<>)]*(?<! ))", example)
    assert match is not None
    words = shlex.split(match[1])
    context: Any = ROOT.make_context("golemctl", words)
    with context:
        while hasattr(context.command, "commands"):
            left = [*context._protected_args, *context.args]
            name, command, rest = context.command.resolve_command(context, left)
            context = command.make_context(name, rest, parent=context)
        assert not context.args


def test_a_word_that_is_nearly_a_command_is_answered_with_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("stauts") == 2
    assert "Did you mean 'status'?" in capsys.readouterr().err


def test_a_group_without_sections_lists_its_own_commands(capsys: pytest.CaptureFixture[str]) -> None:
    def greet(ask: Ask) -> None:
        print("hello")

    commands = Commands("Greetings.")
    commands.add("greet", greet, "Say hello.")
    with pytest.raises(SystemExit):
        group(commands, "greetings")(["--help"], prog_name="golemctl greetings")
    text = capsys.readouterr().out
    assert "Greetings." in text
    assert re.search(r"Commands:\n  greet  Say hello\.\n", text)


@pytest.mark.parametrize("words", ["--help", "--version", "status", "events --item WRK-1", "add --help"])
def test_starting_loads_nothing_that_is_not_needed(words: str, tmp_path: Path) -> None:
    """Each of these costs some of the time in which a command answers."""
    script = f"""
import os, sys
from golemctl.__main__ import main
def leave(status):
    print(*sorted(sys.modules), file=sys.stderr)
    sys.stderr.flush()
    leave_really(status)
leave_really, os._exit = os._exit, leave
sys.argv = ["golemctl", *{words.split()!r}]
main()
"""
    places = {"GOLEMD_SOCKET": str(tmp_path), "GOLEMD_STATE_DIR": str(tmp_path)}
    done = run_command([sys.executable, "-c", script], env=environment(tmp_path) | places)
    loaded = set(done.err.splitlines()[-1].split())
    of_typer = {"typer", "typing_extensions", "inspect", "traceback", "subprocess", "golemctl.completion"}
    assert ("typer" in loaded) is (words.endswith(("--help", "--version")))
    assert "typer" in loaded or not loaded & of_typer
    heavy = {"trio", "rich", "pydantic", "platformdirs", "psutil", "asyncio", "golemd.api.events", "golemctl.demo"}
    assert not loaded & heavy
    commands = {name for name in loaded if name.startswith("golemctl.commands.")}
    assert words == "--help" or len(commands) <= 2
