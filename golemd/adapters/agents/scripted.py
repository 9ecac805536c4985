"""The kind `scripted`: an embedded agent that does what directives in the item's description say. For demo and tests.

    [[write FILE TEXT]] [[append FILE TEXT]] [[sleep S]] [[spawn CMD]] [[ignore-term]] [[result JSON]] [[exit N]]
    [[spend DOLLARS TOKENS]]

Each may be prefixed by `phase.attempt:`, as in `[[build.2: write a.txt hello]]`, or by `phase:`; without a prefix it is
carried out in every attempt of every phase but triage, which only looks. They run in order. Without a `result` or
`exit` directive the result is phase_complete. TEXT gets a line feed at its end; `spawn` starts a shell command in a
session of its own; `spend` says that so much was spent (TOKENS may be left out), and is believed.

The program itself, at the end of this file, uses only the standard library: it runs as `python -I -S scripted.py`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from golemd.adapters.agents.words import Launch, Reading, Request

DIRECTIVE = re.compile(
    r"\[\[\s*(?:(?P<phase>[A-Za-z][A-Za-z0-9_-]*)(?:\.(?P<number>\d+))?:\s*)?"
    r"(?P<verb>write|append|sleep|spawn|spend|ignore-term|result|exit)\b[ \t]*"
)
SPENT = re.compile(r"^scripted: spend (\d{1,6}(?:\.\d{1,6})?)(?: (\d{1,9}))?$", re.MULTILINE)
MAX_OUTPUT = 1 << 20


def launch(request: Request) -> Launch:
    """This very file as a program, with its orders on standard input."""
    from golemd.adapters.agents.words import Launch

    orders = {
        "item": request.item,
        "phase": request.phase,
        "number": request.number,
        "description": request.description,
        "result_file": request.result_file,
    }
    return Launch((sys.executable, "-I", "-S", os.path.abspath(__file__)), json.dumps(orders))


def directives(text: str, phase: str, number: int) -> list[tuple[str, str]]:
    """The (verb, argument) pairs that hold for this attempt, in order."""
    found = []
    for match in DIRECTIVE.finditer(text):
        meant = match["phase"] or (phase if phase != "triage" else None)
        if meant != phase or match["number"] not in (None, str(number)):
            continue
        rest = text[match.end() :]
        found.append((match["verb"], _json_text(rest) if match["verb"] == "result" else rest.split("]]", 1)[0].strip()))
    return found


def _json_text(rest: str) -> str:
    """The JSON value at the beginning of a text; what is no JSON is taken up to the brackets, wrong as it is."""
    try:
        return rest[: json.JSONDecoder().raw_decode(rest)[1]]
    except ValueError:
        return rest.split("]]", 1)[0].strip()


class ScriptedReader:
    """Reads what it says that it has spent; the rest of its output is for people."""

    def __init__(self) -> None:
        self._output = b""

    def feed(self, data: bytes) -> None:
        """The next piece of its standard output, of which the beginning is kept."""
        self._output = (self._output + data)[:MAX_OUTPUT]

    def feed_errors(self, data: bytes) -> None:
        """Pass over it."""

    def reading(self, status: int | None) -> Reading:
        """What was spent; it tells nothing else."""
        from golemd.adapters.agents.words import Reading

        told = SPENT.findall(self._output.decode("utf-8", "replace"))
        tokens = sum(int(tokens or 0) for _, tokens in told)
        return Reading(cost_usd=sum(float(dollars) for dollars, _ in told), output_tokens=tokens)


def main() -> int:
    """Carry out the orders on standard input; returns the exit status."""
    orders = json.load(sys.stdin)
    done: list[str] = []
    reported = False
    for verb, argument in directives(orders["description"], orders["phase"], orders["number"]):
        print(f"scripted: {verb} {argument}"[:200], flush=True)
        if verb == "exit":
            return int(argument or 0)
        if verb == "result":
            _report(orders, argument)
            reported = True
        else:
            VERBS[verb](argument)
            done.append(f"{verb} {argument.split(' ', 1)[0]}".strip())
    if not reported:
        summary = ("did: " + ", ".join(done)) if done else "there was nothing to do"
        _report(orders, json.dumps({"result": "phase_complete", "summary": summary}))
    return 0


def _report(orders: dict[str, str], text: str) -> None:
    """Write the result file. A JSON object gets the ids it lacks; anything else is written as it stands."""
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if isinstance(given, dict):
        text = json.dumps({"item_id": orders["item"], "phase": orders["phase"], "summary": "scripted", **given})
    with open(orders["result_file"], "w", encoding="utf-8") as file:
        file.write(text)


def _put(argument: str, mode: str) -> None:
    name, _, text = argument.partition(" ")
    folder = os.path.dirname(name)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(name, mode, encoding="utf-8") as file:
        file.write(text if text.endswith("\n") else text + "\n")


def _spawn(command: str) -> None:
    subprocess.Popen(["/bin/sh", "-c", command], start_new_session=True, stdin=subprocess.DEVNULL)


VERBS: dict[str, Callable[[str], object]] = {
    "write": lambda argument: _put(argument, "w"),
    "append": lambda argument: _put(argument, "a"),
    "sleep": lambda argument: time.sleep(float(argument)),
    "spawn": _spawn,
    "spend": str.split,  # saying it is all; see ScriptedReader
    "ignore-term": lambda argument: signal.signal(signal.SIGTERM, signal.SIG_IGN),
}


if __name__ == "__main__":
    sys.exit(main())
