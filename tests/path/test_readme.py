"""The README's examples, run as they stand: console blocks against a real daemon, TOML by its reader."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Final

from golemd.api import calls
from golemd.core.configuration import read_project
from golemd.settings import Settings, read_settings
from tests.path.ground import run_command
from tests.path.house import House

README: Final = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def section(start: str, end: str) -> str:
    """The README between two texts."""
    return README.split(start, 1)[1].split(end, 1)[0]


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_every_console_line_does_what_it_says(daemon: House, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    identity = "-c user.name=Reader -c user.email=reader@example.org"
    here = daemon.env | {"GOLEMD_SOCKET": str(daemon.socket)}
    made = run_command(
        ["sh", "-c", f"git init -q -b main && git {identity} commit -q --allow-empty -m first"],
        cwd=repository,
        env=here,
    )
    assert made.status == 0, made.err
    alias = f'golemctl() {{ "{sys.executable}" -m golemctl "$@"; }}\n'
    lines = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(lines) > 10
    for line in lines:
        done = run_command(["sh", "-c", alias + line], cwd=repository, env=here)
        expected = re.search(r"# exits (\d+)", line)
        assert done.status == int(expected[1] if expected else 0), f"{line}\n{done.out}{done.err}"
    assert [item.status for item in daemon.call(calls.Status(all=True)).items] == ["done", "done"]


def test_the_example_configurations_are_good() -> None:
    settings = [text for text in blocks("toml") if text in section("### golemd.toml", "### Where")]
    assert [type(read_settings(text, "golemd.toml")) for text in settings] == [Settings]
    examples = [text for text in blocks("toml") if text not in settings]
    assert len(examples) >= 2
    for text in examples:
        reading = read_project(text, "golem.toml", folder_name="demo")
        assert reading.problems == ()
        assert reading.config is not None


def test_the_settings_that_the_readme_names_are_those_there_are() -> None:
    plain = section("### golemd.toml", "`[environment]")
    for name, value in re.findall(r"`(\w+) = ([^`]+)`", plain):
        assert getattr(Settings(), name) == tomllib.loads(f"x = {value}")["x"]
