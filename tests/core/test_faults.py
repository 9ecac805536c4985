"""Faults: each class crosses the wire and comes back as it was."""

from __future__ import annotations

import msgspec
import pytest

from golemd.api.faults import CLASSES, Fault, Invalid, WireFault, from_wire, to_wire


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_a_fault_comes_back_as_it_was(kind: type[Fault]) -> None:
    fault = kind("a_code", "What happened.", "What to do.", seq=5, path=["a"])
    sent = msgspec.msgpack.encode(to_wire(fault))
    again = from_wire(msgspec.msgpack.decode(sent, type=WireFault))
    assert type(again) is kind
    assert (again.code, again.message, again.hint, again.data) == (fault.code, fault.message, fault.hint, fault.data)
    assert str(again) == "What happened."


def test_the_classes_have_the_names_of_the_contract() -> None:
    assert list(CLASSES) == ["invalid", "conflict", "not_found", "human_required", "unavailable", "internal"]
    assert msgspec.to_builtins(to_wire(Invalid("c", "m"))) == {
        "code": "c",
        "class": "invalid",
        "message": "m",
        "hint": "",
        "data": {},
    }


def test_a_class_from_the_future_is_a_plain_fault_and_data_may_have_any_names() -> None:
    again = from_wire(WireFault("c", "quantum", "m", data={"code": 1, "message": 2, "self": 3}))
    assert type(again) is Fault
    assert again.data == {"code": 1, "message": 2, "self": 3}


def test_a_fault_shows_its_code() -> None:
    assert repr(Invalid("bad", "No.")) == "<Invalid bad: No.>"
