"""describe: the whole interface, from the running daemon."""

from __future__ import annotations

from golemd.api import calls
from tests.path.house import House


def test_describe_lists_every_method_with_fields_reply_and_help(daemon: House) -> None:
    told = daemon.call(calls.Describe())
    assert set(told["methods"]) == set(calls.CALLS)
    for method in told["methods"].values():
        assert method["doc"]
        assert method["reply"]
    assert told["methods"]["item.add"]["fields"]["title"] == {"type": "str", "required": True}
    assert told["methods"]["item.add"]["changes"] is True
    assert told["errors"]["fields"] == ["code", "class", "message", "hint", "data"]
    assert {"event", "log", "lagged"} <= set(told["notifications"])


def test_describe_names_the_types_of_replies(daemon: House) -> None:
    told = daemon.call(calls.Describe())
    assert {"id", "status", "title"} <= set(told["types"]["ItemView"]["fields"])
