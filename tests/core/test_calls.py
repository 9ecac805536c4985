"""Requests: each decodes from its own encoding, nothing unknown is taken, and the whole interface prints itself."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from golemd.api import calls, views
from golemd.api.calls import CALLS, MAX_TOKEN_BYTES, Change, decode_call, describe, reply_type
from golemd.api.faults import CLASSES, Invalid

GIVEN: Final[dict[str, Any]] = {
    "id": "WRK-1",
    "gate": "WRK-1.g1",
    "option": "approve",
    "title": "t",
    "root": "/src",
    "project": "demo",
    "text": "ü",
    "priority": 3,
    "labels": ["a"],
    "dependencies": ["WRK-2"],
    "since": 7,
    "vars": {"x": "1"},
    "all": True,
    "cap": 5,
    "token": "tok",
    "format": "jsonl",
    "path": "/items.jsonl",
    "before": "2026-01-01",
}
OWN: Final[dict[str, dict[str, Any]]] = {"worklog": {"since": 7}}
"""Fields that are of another type in one method."""
pack = msgspec.msgpack.encode


def given(method: str) -> dict[str, Any]:
    known = GIVEN | OWN.get(method, {})
    return {name: known[name] for name in CALLS[method].__struct_fields__ if name in known}


def refused(method: str, params: bytes) -> Invalid:
    with pytest.raises(Invalid) as found:
        decode_call(method, params)
    assert found.value.hint
    return found.value


@pytest.mark.parametrize("method", CALLS)
def test_every_call_decodes_from_its_own_encoding(method: str) -> None:
    call = decode_call(method, pack(given(method)))
    assert type(call) is CALLS[method]
    assert decode_call(method, pack(call)) == call
    assert decode_call(method, msgspec.Raw(pack(call))) == call


@pytest.mark.parametrize("method", CALLS)
def test_unknown_fields_and_wrong_types_are_refused(method: str) -> None:
    assert refused(method, pack({**given(method), "surprise": 1})).code == "invalid_params"
    assert refused(method, pack([1])).code == "invalid_params"
    assert refused(method, b"\xc1").code == "invalid_params"
    assert refused(method, b"\x81\xa1\xff\xc0").code == "invalid_params"
    for name in given(method):
        error = refused(method, pack({**given(method), name: b"\x00"}))
        assert (error.code, error.data) == ("invalid_params", {"method": method})


@pytest.mark.parametrize("method", CALLS)
def test_required_fields_are_required(method: str) -> None:
    required = [field.name for field in msgspec.structs.fields(CALLS[method]) if field.required]
    for name in required:
        left = {key: value for key, value in given(method).items() if key != name}
        assert name in refused(method, pack(left)).message


def test_an_unknown_method_is_refused() -> None:
    assert refused("item.nope", pack({})).code == "unknown_method"
    assert len(refused("x" * 10_000, pack({})).message) < 200


@pytest.mark.parametrize("token", ["x" * (MAX_TOKEN_BYTES + 1), "ü" * (MAX_TOKEN_BYTES // 2 + 1), "seq:5"])
def test_a_bad_token_is_refused(token: str) -> None:
    assert refused("reload", pack({"token": token})).code == "invalid_token"


def test_a_good_token_is_taken() -> None:
    for token in ("", "x" * MAX_TOKEN_BYTES, "ü" * (MAX_TOKEN_BYTES // 2), "sequel"):
        call = decode_call("reload", pack({"token": token}))
        assert isinstance(call, Change)
        assert call.token == token


def test_calls_that_write_and_only_they_take_a_token() -> None:
    for call in CALLS.values():
        assert call.CHANGES == issubclass(call, Change) == ("token" in call.__struct_fields__)


@pytest.mark.parametrize("method", CALLS)
def test_the_field_that_names_an_agents_own_item_exists(method: str) -> None:
    call = CALLS[method]
    assert not call.AGENT_FIELD or call.AGENT_FIELD in call.__struct_fields__
    assert not (call.AGENT_FIELD and call.FOR_ANYONE)


# --- describe ----------------------------------------------------------------------------------------------------


def test_the_interface_names_every_method_with_its_fields_types_and_reply() -> None:
    found = describe()["methods"]
    assert set(found) == set(CALLS)
    for method, shown in found.items():
        assert set(shown["fields"]) == set(CALLS[method].__struct_encode_fields__)
        assert shown["doc"].endswith(".")
        assert shown["reply"]
        assert shown["changes"] is CALLS[method].CHANGES
        assert all(field["type"] for field in shown["fields"].values())
    assert found["item.add"]["fields"]["title"] == {"type": "str", "required": True}
    assert found["gate.list"]["reply"] == "tuple[GateView, ...]"
    assert found["run.start"]["fields"]["cap"] == {"type": "int | None", "required": False}


def test_every_type_that_a_reply_names_is_described() -> None:
    types = describe()["types"]
    for call in CALLS.values():
        reply = reply_type(call)
        kinds = getattr(reply, "__args__", (reply,))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                assert set(types[kind.__name__]["fields"]) == {f.encode_name for f in msgspec.structs.fields(kind)}
    assert {"ItemView", "GateView", "StatusView"} <= set(types)
    assert reply_type(calls.ItemAdd) is views.ItemView


def test_errors_and_notifications_are_described_and_all_of_it_is_plain_data() -> None:
    found = describe()
    assert set(found["errors"]["classes"]) == set(CLASSES)
    assert set(found["notifications"]) == {"event", "log", "lagged", "ended", "error"}
    assert msgspec.json.decode(msgspec.json.encode(found)) == found
