"""Configurations of tests: how they are read, and values written in TOML."""

from __future__ import annotations

from typing import Any

from golemd.api.config import ProjectConfig
from golemd.core.configuration import Reading, read_project
from golemd.core.keys import Problem


def read(text: str, **more: Any) -> Reading:
    return read_project(text, "golem.toml", **{"folder_name": "folder", **more})


def good(text: str, **more: Any) -> ProjectConfig:
    reading = read(text, **more)
    assert reading.problems == ()
    assert reading.config is not None
    return reading.config


def bad(text: str) -> list[str]:
    reading = read(text)
    assert reading.config is None
    assert all(problem.level == "error" for problem in reading.problems)
    return [str(problem) for problem in reading.problems]


def only(text: str) -> Problem:
    """The one problem of a text."""
    problems = read(text).problems
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def literal(value: Any) -> str:
    """A value in TOML's inline notation."""
    match value:
        case dict():
            return "{" + ", ".join(f"{literal(key)} = {literal(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(literal, value)) + "]"
        case str():
            return '"' + "".join(f"\\U{ord(char):08x}" for char in value) + '"'
        case bool():
            return str(value).lower()
        case _:
            return str(value)
