"""The programs of agents: where they are, and whether golemd can work with them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from golemd.adapters import agents
from golemd.adapters.agents.ask import first_words
from golemd.engine.context import Context


class Unusable(Exception):
    """An agent's program cannot be started, and trying again cannot help."""


def found(program: str, environ: Mapping[str, str]) -> str:
    """The program's file. Raises Unusable."""
    place = shutil.which(program, path=environ.get("PATH", os.defpath))
    if place is not None:
        return place
    if "/" in program:
        problem = "is not executable" if os.path.exists(program) else "does not exist"
        raise Unusable(f"The agent program {program} {problem}. Mend it, or change [agents] in golem.toml.")
    raise Unusable(f"The agent program {program} is not on the PATH. Install it, or change its command in golem.toml.")


async def require_version(engine: Context, kind: str, program: str, environ: Mapping[str, str]) -> None:
    """See that a program is one that its kind can work with. Raises Unusable.

    A program that will do is asked once; one that will not may have been mended, or had no time to answer.
    """
    judge = agents.kind_of(kind).version_problem
    if judge is None:
        return
    file = os.stat(program)
    key = (program, file.st_mtime_ns, file.st_size)
    if key in engine.good_programs:
        return
    if problem := judge(await first_words((program, "--version"), environ)):
        raise Unusable(f"{program}: {problem}.")
    engine.good_programs.add(key)


async def login_problem(kind: str, program: str, environ: Mapping[str, str]) -> str | None:
    """What is wrong with the program's login, where its kind can be asked; None when nothing is known to be."""
    login = agents.kind_of(kind).login
    if login is None:
        return None
    return login.problem(await first_words((program, *login.words), environ, any_status=True))
