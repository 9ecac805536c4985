"""Output in bounded pieces, and lines that a terminal can be trusted with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from golemd.adapters.processes import logs
from golemd.adapters.processes.watch import renames_into
from tests.adapters.processes.helpers import Place, run, sh


def put(folder: Path, stream: str, data: bytes, at: int = 1_700_000_000) -> None:
    (folder / f"{stream}.log").write_bytes(data)
    os.utime(folder / f"{stream}.log", (at, at))


def test_pieces_are_bounded_and_what_is_not_there_is_empty(tmp_path: Path) -> None:
    put(tmp_path, "stdout", b"0123456789")
    assert logs.read(tmp_path, "stdout", 2, 3) == b"234"
    assert logs.read(tmp_path, "stdout", -5, 100) == b"0123456789"
    assert logs.read(tmp_path, "stdout", 10, 100) == logs.read(tmp_path, "stdout", 0, -1) == b""
    assert logs.read(tmp_path, "stderr", 0, 100) == b""
    put(tmp_path, "stdout", b"x" * (logs.MAX_READ_BYTES + 1))
    assert len(logs.read(tmp_path, "stdout", 0, 1 << 40)) == logs.MAX_READ_BYTES


def test_the_tail_is_of_the_log_written_last_and_without_blank_lines(tmp_path: Path) -> None:
    assert logs.tail(tmp_path, 3) == []
    put(tmp_path, "stdout", b"one\n\ntwo\n \nthree\nfour")
    put(tmp_path, "stderr", b"", at=1_800_000_000)
    assert logs.tail(tmp_path, 3) == ["two", "three", "four"]
    assert logs.tail(tmp_path, 0) == []
    put(tmp_path, "stderr", b"oops\n", at=1_800_000_000)
    assert logs.tail(tmp_path, 3) == ["oops"]


def test_the_tail_of_a_large_log_is_read_from_its_end_and_begins_with_a_whole_line(tmp_path: Path) -> None:
    put(tmp_path, "stdout", b"y" * 20_000 + b"\nlast\n")
    assert logs.tail(tmp_path, 3) == ["last"]
    put(tmp_path, "stdout", b"z" * 20_000)
    assert logs.tail(tmp_path, 3) == ["z" * logs.MAX_LINE_CHARS]


def _hush(text: str) -> str:
    return text.replace("secret", "•••")


def test_the_tail_is_masked_before_it_is_cut(tmp_path: Path) -> None:
    put(tmp_path, "stdout", b"x" * (logs.MAX_LINE_CHARS - 3) + b"secret\n\033[1msec\033[0mret\n")
    assert logs.tail(tmp_path, 3, mask=_hush) == ["x" * (logs.MAX_LINE_CHARS - 3) + "•••", "•••"]
    put(tmp_path, "stdout", b"y" * 50_000 + b"secret" * 2_000)
    assert logs.tail(tmp_path, 3, mask=_hush) == ["y" * logs.MAX_LINE_CHARS]
    put(tmp_path, "stdout", b"secret" * 300_000)
    assert logs.tail(tmp_path, 3, mask=_hush) == [], "what is out of reach is not shown, least of all in part"
    put(tmp_path, "stdout", b"10% of a secret\r" * 100_000)
    assert logs.tail(tmp_path, 3, mask=_hush) == ["10% of a •••"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;never ended", ""),
        ("10%\r20%\r30%\r", "30%"),
        ("a\x00b\x07c\x7fd\x9bm", "abcd"),
        ("abc\u202edef\u2066", "abcdef"),
        ("tab\there", "tab here"),
        ("  grüße 木  ", "grüße 木"),
        ("\x1b", ""),
        ("\x1b(Bplain\x1bc", "plain"),
    ],
)
def test_nothing_that_steers_a_terminal_gets_through(raw: str, shown: str) -> None:
    assert logs.clean(raw) == shown


def test_the_time_of_the_last_output_is_of_either_log_and_of_none_without_output(tmp_path: Path) -> None:
    assert logs.last_output_at(tmp_path) is None
    put(tmp_path, "stdout", b"")
    assert logs.last_output_at(tmp_path) is None
    put(tmp_path, "stdout", b"a", at=0)
    put(tmp_path, "stderr", b"b", at=86_400)
    assert logs.last_output_at(tmp_path) == "1970-01-02T00:00:00.000000Z"


def _counted(line: str) -> list[str]:
    """Of numbers: each as often as it says, as a program's own words."""
    return [line] * int(line) if line.isdigit() else []


def test_the_tail_of_a_program_that_writes_for_programs_is_what_its_whole_lines_mean(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    log.write_text("7\n1\n{event}\n2\n\n0\n9")
    assert logs.tail(tmp_path, 3, _counted) == ["1", "2", "2"]
    assert logs.tail(tmp_path, 1, _counted) == ["2"]
    assert logs.tail(tmp_path, 3, lambda _: ["\x1b[1m\x1b[0m", "\tbold\x07"]) == ["bold"] * 3
    log.write_text("1\n" + "x" * logs.MAX_READ_BYTES + "\n")
    assert logs.tail(tmp_path, 3, _counted) == [], "what is out of reach is not shown, least of all in part"
    log.write_text("1\n" + "x" * (logs.MAX_READ_BYTES - 4) + "\n1\n")
    assert logs.tail(tmp_path, 3, _counted) == ["1"]
    (tmp_path / "stderr.log").write_text("3\n")
    assert logs.tail(tmp_path, 3, _counted) == ["3"], "errors are for people anyway"


async def test_the_runner_shows_the_output_of_its_attempts(here: Place) -> None:
    await run(here.runner, sh("echo one; echo two; printf '\\033[31mthree\\n'"))
    assert here.runner.tail("A.1", 2) == ["two", "three"]
    assert (here.runner.last_output_at("A.1") or "").startswith("20")


def test_watching_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), renames_into(tmp_path / "none"):
        pass


async def test_removing_logs_leaves_records_results_and_everybody_elses(here: Place) -> None:
    for attempt in ("A.1", "A.2", "B.1"):
        await run(here.runner, sh("echo said; echo wrong >&2", attempt))
        (here.folder(attempt) / "prompt.md").write_text("do it", encoding="utf-8")
        (here.folder(attempt) / "result.json").write_text("{}", encoding="utf-8")
    assert await here.runner.remove_logs(lambda attempt: attempt.startswith("A.")) == 2
    assert await here.runner.remove_logs(lambda attempt: attempt.startswith("A.")) == 0
    left = {path.name for path in here.folder("A.1").iterdir()}
    assert left == {"exit.json", "result.json", "spec.json", "started.json"}
    assert (here.runner.has_logs("A.1"), here.runner.has_logs("B.1"), here.runner.has_logs("C.1")) == (
        False,
        True,
        True,
    )
    ended = here.runner.result("A.2")
    assert ended is not None
    assert ended.status == 0
