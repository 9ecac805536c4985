"""The positions of a TOML text: every form of key that the language has, and what cannot be read."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.core.toml import Document, Path, SyntaxProblem, parse

EVERY_FORM = """\
# a comment = 1, with [brackets]
top = 1979-05-27 07:32:00

[execution]   # [not.a.table]
max_wip = 2
verify = [ # two commands
  "make test",
  'say "]"',
  \"\"\"
one "quoted" thing, ending in two quotes\"\"\"\"\",
]
nested = [[1, 2], [3,
  4]]
empty = []
[agents."my agent"]
command = ["a"]
env.TOKEN = "x"
env."a \\"b\\" = c" = '''
[not.a.header]
'quoted' '''
inline = { one = 1, two.three = [{ four = 4 }], empty = {} }

[[pipelines.feature.phases]]
name = "one"

[pipelines.feature.phases.vars]
key = "value"

[[pipelines.feature.phases]]
name = "two"
  [[pipelines.feature.phases.artifacts]]
  path = "a"
  [[pipelines.feature.phases.artifacts]]
  path = "b"

[outer.inner]
a = true

[outer]
b = false
"""


def read(text: str) -> Document:
    document = parse(text)
    assert isinstance(document, Document)
    return document


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("execution",), 4),
        (("execution", "max_wip"), 5),
        (("execution", "verify"), 6),
        (("execution", "verify", 0), 7),
        (("execution", "verify", 1), 8),
        (("execution", "verify", 2), 9),
        (("execution", "nested", 1, 0), 12),
        (("execution", "nested", 1, 1), 13),
        (("execution", "empty"), 14),
        (("agents",), 15),
        (("agents", "my agent"), 15),
        (("agents", "my agent", "env"), 17),
        (("agents", "my agent", "env", "TOKEN"), 17),
        (("agents", "my agent", "env", 'a "b" = c'), 18),
        (("agents", "my agent", "inline", "two", "three", 0, "four"), 21),
        (("agents", "my agent", "inline", "empty"), 21),
        (("pipelines", "feature", "phases"), 23),
        (("pipelines", "feature", "phases", 0), 23),
        (("pipelines", "feature", "phases", 0, "name"), 24),
        (("pipelines", "feature", "phases", 0, "vars", "key"), 27),
        (("pipelines", "feature", "phases", 1, "name"), 30),
        (("pipelines", "feature", "phases", 1, "artifacts", 0, "path"), 32),
        (("pipelines", "feature", "phases", 1, "artifacts", 1, "path"), 34),
        (("outer",), 39),
        (("outer", "inner", "a"), 37),
        (("outer", "b"), 40),
    ],
)
def test_every_form_of_key_is_found_on_its_line(path: Path, line: int) -> None:
    document = read(EVERY_FORM)
    assert path in document.lines
    assert document.locate(path) == line


def test_the_data_is_that_of_tomllib() -> None:
    assert read(EVERY_FORM).data == tomllib.loads(EVERY_FORM)


def test_a_key_that_is_not_written_down_is_placed_at_the_table_around_it() -> None:
    document = read("\n[execution]\nmax_wip = 1\n")
    assert document.locate(("execution", "agent")) == 2
    assert document.locate(("execution", "max_wip", "deeper", 0)) == 3
    assert document.locate(("triage", "enabled")) == 1


def test_line_ends_of_other_systems_count_once() -> None:
    assert read("a = 1\r\n\r\nb = [\r\n1]\r\n").lines == {("a",): 1, ("b",): 3, ("b", 0): 4}


def test_nothing_at_all_is_an_empty_document() -> None:
    assert read("") == Document({}, {})
    assert read(" \n# only a comment") == Document({}, {})


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a = 1\nb = = 2\n", 2, "is not valid TOML"),
        ("a = 1\n[execution\n", 2, "is not valid TOML"),
        ("a = 1\nb = [1,\n\n", 2, "is not valid TOML"),
        ("a = 1\n\na = 2\n", 3, "is not valid TOML"),
        ("a = " + "9" * 5000, 1, "is not valid TOML"),
        ("a = " + "[" * 20_000, 1, "is nested too deeply"),
    ],
    ids=["value", "header", "end", "double", "digits", "deep"],
)
def test_broken_syntax_is_one_problem_with_its_line(text: str, line: int, part: str) -> None:
    problem = parse(text)
    assert isinstance(problem, SyntaxProblem)
    assert problem.line == line
    assert problem.message.startswith(part)
    assert "(at " not in problem.message


def paths(value: Any, path: Path = ()) -> list[Path]:
    """Every path of a value, from the outside in."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in pairs for place in ((*path, key), *paths(inner, (*path, key)))]


def literal(value: Any) -> str:
    """A value in TOML's inline notation."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)} = {literal(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(map(literal, value)) + "\n]"
    return '"' + "".join(f"\\U{ord(char):08x}" if char in '"\\' or ord(char) < 32 else char for char in value) + '"'


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=5)
VALUES = st.recursive(
    TEXTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_every_path_of_any_document_has_a_line(data: dict[str, Any]) -> None:
    text = "".join(f"\n{literal(key)} = {literal(value)}" for key, value in data.items())
    document = read(text)
    assert document.data == data
    assert set(document.lines) == set(paths(data))
    for key in data:
        assert text.split("\n")[document.locate((key,)) - 1].startswith(literal(key))
