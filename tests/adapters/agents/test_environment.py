"""The environment that a child gets, and what of it is masked."""

from __future__ import annotations

import json

import pytest

from golemd.adapters.agents.environment import (
    MASK,
    child_environment,
    masked,
    masked_piece,
    masked_result,
    secrets,
)

OWN = {
    "PATH": "/bin",
    "LC_ALL": "C",
    "XDG_DATA_HOME": "/d",
    "HTTPS_PROXY": "p",
    "CLOUD_KEY": "hush-hush",
    "EDITOR": "vi",
}


def test_a_child_gets_the_allowed_names_and_those_passed_and_no_others() -> None:
    found = child_environment(OWN, ("CLOUD_*",), {}, "", {})
    assert found == {name: value for name, value in OWN.items() if name != "EDITOR"}


def test_golems_names_win_over_set_values_and_those_over_the_daemons_own() -> None:
    set_values = {"LC_ALL": "C.UTF-8", "GOLEM_ITEM": "forged"}
    found = child_environment(OWN, (), set_values, "/opt/bin", {"GOLEM_ITEM": "W-1"})
    assert (found["PATH"], found["LC_ALL"], found["GOLEM_ITEM"]) == ("/opt/bin", "C.UTF-8", "W-1")


def test_a_path_that_is_set_wins_over_the_general_one() -> None:
    assert child_environment(OWN, (), {"PATH": "/mine"}, "/opt/bin", {})["PATH"] == "/mine"


def test_secrets_are_what_is_passed_or_set_and_long_enough_to_mask() -> None:
    assert secrets(OWN, ("CLOUD_*", "EDITOR"), {"TOKEN": "hush-hush-hush", "N": "1"}) == ["hush-hush-hush", "hush-hush"]


def test_each_line_of_a_secret_and_what_it_is_within_json_are_secrets_too() -> None:
    key = "-----BEGIN KEY-----\r\nMIIEpAIB\n+aZ==\n"
    assert {"-----BEGIN KEY-----", "MIIEpAIB"} < set(secrets({}, (), {"KEY": key}))
    assert "+aZ==" not in secrets({}, (), {"KEY": key}), "too short"
    quoted = secrets({}, (), {"A": 'a "quoted" secret'})
    assert masked(json.dumps({"said": 'a "quoted" secret'}), quoted) == f'{{"said": "{MASK}"}}'


def test_a_secret_that_holds_another_is_masked_whole() -> None:
    values = secrets({}, (), {"A": "secret", "B": "secret-and-more"})
    assert masked("a secret-and-more, a secret", values) == f"a {MASK}, a {MASK}"


@pytest.mark.parametrize("size", range(1, 40))
def test_output_in_pieces_is_masked_as_it_is_as_a_whole(size: int) -> None:
    values = secrets({}, (), {"A": "secret", "B": "secret-and-more", "C": "retinue", "D": "aaaaaa", "E": "grün-grün"})
    data = "a secret-and-mor, secretinue secret-and-more aaaaaaaaaaaaaa retinu grün-grün grün-grü".encode()
    whole, offset = "", 0
    while offset < len(data):  # as a program writes it, bit by bit
        for end in range(offset + size, len(data) + size, size):
            taken, text = masked_piece(data[offset:end], values, last=end >= len(data))
            if taken:
                break
        whole, offset = whole + text, offset + taken
    assert whole == f"a {MASK}-and-mor, {MASK}inue {MASK} {MASK}{MASK}aa retinu {MASK} grün-grü"


def test_a_piece_is_held_back_only_where_a_secret_may_begin() -> None:
    assert masked_piece(b"old news\n", ["secret"], last=False) == (9, "old news\n")
    assert masked_piece(b"old news", [], last=False) == (8, "old news")
    assert masked_piece(b"a sec", ["secret"], last=False) == (2, "a ")
    assert masked_piece(b"a sec", ["secret"], last=True) == (5, "a sec")
    assert masked_piece(b"\xe4 \xc3", [], last=False) == (2, "\ufffd ")
    assert masked_piece(b"\xe4 \xc3", [], last=True) == (3, "\ufffd \ufffd")


def test_a_results_texts_are_masked_and_what_it_is_for_is_not() -> None:
    said = {"item_id": "secret", "summary": "a secret", "findings": [{"text": 'the "secret"', "line": 7}], "more": None}
    found = json.loads(masked_result(json.dumps(said).encode(), ["secret"]))
    hidden = {"summary": f"a {MASK}", "findings": [{"text": f'the "{MASK}"', "line": 7}]}
    assert found == said | hidden


@pytest.mark.parametrize("data", [b"{", b"[]", b'"secret"', b"\xff", b"[" * 100_000])
def test_what_is_no_result_is_left_to_be_refused(data: bytes) -> None:
    assert masked_result(data, ["secret"]) == data
    assert masked_result(data, []) == data
