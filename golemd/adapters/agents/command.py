"""The kind `command`: any program. Its words may name {prompt_file}, {result_file}, {workspace}, {item}, {phase}.

A program with a slash in its name is found from the project's root, others on the agent's PATH.
"""

from __future__ import annotations

from golemd.adapters.agents.words import Launch, Request


def launch(request: Request) -> Launch:
    """The configured words with their placeholders filled; braces that are no placeholder stay as they are."""
    places = {
        "{prompt_file}": request.prompt_file,
        "{result_file}": request.result_file,
        "{workspace}": request.workspace,
        "{project_root}": request.project_root,
        "{item}": request.item,
        "{phase}": request.phase,
    }
    program, *rest = (_filled(word, places) for word in (*request.agent.command, *request.agent.args))
    return Launch((request.located(program), *rest))


def _filled(word: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word
