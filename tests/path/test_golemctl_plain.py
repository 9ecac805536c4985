"""Plain command lines are understood without typer, exactly as typer understands them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemctl import parser
from golemctl.app import Options
from golemctl.commands import app
from golemctl.declare import NOTHING, Argument, Commands, Parameter, parameters
from golemctl.plain import Plain, understood

Command = Callable[..., int | None]
LIST: Final = list[str] | None
PLAIN_OPTIONS: Final = (bool, str, str | None, LIST, int | None)
VALUES: Final = ("WRK-1", "7", "two words", "é", "\udcff", "a=b", "status", "x-y", "%", "*")
NUMBERS: Final = ("0", "5", "007", "999999999")
ODD: Final = ("", "-", "--", "-1", "-x", "-mx", "--message=x", "--json=1", "--jso", "--nothing")
ODD_NUMBERS: Final = (*ODD, " 5", "5_0", "\uff11", "1e3", "9999999999", "+5", "five")


def every(commands: Commands, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    """The words of every command, and its function."""
    for names in commands.sections.values():
        for name in names:
            found = commands.entry(name).command
            if isinstance(found, Commands):
                yield from every(found, (*above, name))
            else:
                yield (*above, name), found


COMMANDS: Final = dict(every(app))
SHARED: Final = [each for each in parameters(Options) if each.name != "timeout"]


def of_typer(words: list[str]) -> Plain:
    """What typer makes of a command line, which it must take."""
    seen: list[Plain] = []

    def note(command: Command, options: Options, given: Mapping[str, Any]) -> int:
        seen.append(Plain(command, options, dict(given)))
        return 0

    said = io.StringIO()
    with (
        patch("golemctl.parser.run_command", note),
        contextlib.redirect_stderr(said),
        pytest.raises(SystemExit) as ended,
    ):
        parser.run(app, words)
    assert ended.value.code == 0, said.getvalue()
    assert len(seen) == 1
    return seen[0]


def option(parameter: Parameter) -> st.SearchStrategy[list[str]]:
    """An option with a value that suits it."""
    value = st.sampled_from(NUMBERS if parameter.kind == int | None else VALUES)
    name = st.sampled_from(parameter.names).map(lambda name: [name])
    return name if parameter.kind is bool else st.tuples(name, value).map(lambda pair: [*pair[0], pair[1]])


def is_plain(parameter: Parameter) -> bool:
    if isinstance(parameter.declared, Argument):
        return parameter.kind is str
    return parameter.kind in PLAIN_OPTIONS and parameter.declared.min is None


@st.composite
def plain_lines(draw: st.DrawFn) -> list[str]:
    """A command line of plain words: options, the shared ones too, wherever they may stand."""
    path, command = draw(st.sampled_from(list(COMMANDS.items())))
    own = parameters(command)
    pieces = [[draw(st.sampled_from(VALUES))] for each in own if isinstance(each.declared, Argument) and is_plain(each)]
    needed = [each for each in own if not isinstance(each.declared, Argument) and each.default is NOTHING]
    optional = [each for each in own if not isinstance(each.declared, Argument) and is_plain(each)] + SHARED
    options = [draw(option(each)) for each in [*needed, *draw(st.lists(st.sampled_from(optional), max_size=5))]]
    for each in options:
        pieces.insert(draw(st.integers(0, len(pieces))), each)
    line = [[word] for word in path]
    for shared in draw(st.lists(st.sampled_from(SHARED), max_size=2)):
        line.insert(draw(st.integers(0, len(line))), draw(option(shared)))
    return [word for piece in (*line, *pieces) for word in piece]


@given(words=plain_lines())
def test_what_is_plain_means_the_same_to_typer(words: list[str]) -> None:
    plain = understood(words, app)
    if plain is not None:
        assert plain == of_typer(words)


@st.composite
def odd_lines(draw: st.DrawFn) -> list[str]:
    """A command and any words behind it."""
    path, command = draw(st.sampled_from(list(COMMANDS.items())))
    own = [name for each in parameters(command) if not isinstance(each.declared, Argument) for name in each.names]
    shared = [name for each in parameters(Options) for name in each.names]
    word = st.sampled_from([*own, *shared, *VALUES, *NUMBERS, *ODD_NUMBERS])
    return [*draw(st.lists(word, max_size=1)), *path, *draw(st.lists(word, max_size=6))]


@given(words=odd_lines())
def test_whatever_is_taken_for_plain_means_the_same_to_typer(words: list[str]) -> None:
    plain = understood(words, app)
    if plain is not None:
        assert plain == of_typer(words)


@pytest.mark.parametrize("path", COMMANDS)
def test_a_command_with_all_that_it_takes_is_plain_but_for_what_typer_must_look_at(
    path: tuple[str, ...],
) -> None:
    own = parameters(COMMANDS[path])
    arguments = [each for each in own if isinstance(each.declared, Argument)]
    words = [*path, *(VALUES[0] for _ in arguments)]
    for each in [each for each in (*own, *SHARED) if each not in arguments and is_plain(each)]:
        words += [each.names[-1]] if each.kind is bool else [each.names[0], NUMBERS[1]]
    plain = understood(words, app)
    assert (plain is not None) == all(map(is_plain, arguments))
    if plain is not None:
        assert plain == of_typer(words)
        assert NOTHING not in plain.given.values()


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nothing",
        "--help",
        "--version",
        "status --help",
        "status -h",
        "status --nothing",
        "status extra",
        "status --at",
        "status --at=5",
        "status --timeout 3",
        "status --only -",
        "show",
        "journal",
        "journal nothing",
        "journal prune",
        "edit WRK-1 --priority five",
        "run --cap 3",
        "triage WRK-1",
        "import tg .",
    ],
)
def test_what_is_not_plain_is_left_to_typer(line: str) -> None:
    assert understood(line.split(), app) is None
