"""golemctl demo: three items to done, in a place of its own, and nothing left of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.path.ground import carrying
from tests.path.house import House


def test_the_demo_ends_with_three_of_three_and_leaves_neither_process_nor_file(house: House) -> None:
    place = house.root / "tmp"
    place.mkdir()
    mark = f"DEMO_MARK={house.root}"
    done = house.golemctl("demo", env={"TMPDIR": str(place), "DEMO_MARK": str(house.root)})
    assert done.status == 0, done.err
    assert done.out.splitlines()[-1] == "3 of 3 items done"
    assert list(place.iterdir()) == []
    assert carrying(mark) == []
    for words in ("failed", "passed", "golemctl approve"):
        assert words in done.out


def test_a_kept_demo_says_where_it_is_and_can_be_looked_at(house: House) -> None:
    place = Path(tempfile.mkdtemp(dir=house.root))
    done = house.golemctl("demo", "--keep", env={"TMPDIR": str(place)})
    assert done.status == 0, done.err
    (kept,) = place.iterdir()
    assert str(kept) in done.out
    house.state, house.config = kept / "state", kept / "golemd.toml"
    house.socket = kept / "golemd.sock"
    house.start("--socket", house.socket)
    shown = house.golemctl("status", "--all", "--json").json
    assert [item["status"] for item in shown["items"]] == ["done"] * 3
