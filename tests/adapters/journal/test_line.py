"""Bytes ↔ Record, without a file."""

from __future__ import annotations

import json
from hashlib import blake2b

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golemd.adapters.journal.head import Mark, from_slot, to_slot
from golemd.adapters.journal.line import (
    ZERO_HASH,
    BadLine,
    Chain,
    FutureRecord,
    decode,
    durable_claim,
    encode,
    is_sealed,
    seal,
    value_of,
)
from golemd.adapters.journal.times import microseconds, timestamp
from golemd.api.events import EVENTS, DaemonStarted, DaemonStopped, JournalRepaired, Record

TS = "2026-11-20T09:11:00.123456Z"
KEYS = ["v", "seq", "d", "ts", "type", "project", "item", "cause", "more", "body", "data", "prev", "h"]


def line_of(reason: str = "", seq: int = 1, d: int = 0, prev: str = ZERO_HASH) -> tuple[bytes, Record]:
    return encode(DaemonStopped(reason=reason), seq=seq, d=d, ts=TS, prev=prev, limit=1 << 20)


def test_keys_stand_in_order_and_empty_ones_are_left_out() -> None:
    event = DaemonStarted(version="1", pid=2, boot_id="b")
    full, _ = encode(
        event,
        seq=9,
        d=3,
        ts=TS,
        project="p",
        item="i",
        cause="c",
        more=True,
        body="b",
        prev=ZERO_HASH,
        limit=1000,
    )
    plain, _ = line_of()
    assert list(json.loads(full)) == KEYS
    assert list(json.loads(plain)) == [key for key in KEYS if key not in ("project", "item", "cause", "more", "body")]
    assert json.loads(plain)["data"] == {}


def test_the_hash_is_blake2b_128_of_all_before_it() -> None:
    line, record = line_of("x")
    body, _, tail = line.rpartition(b',"h":')
    assert record.h == blake2b(body, digest_size=16).hexdigest()
    assert tail == b'"%b"}\n' % record.h.encode()


@given(st.text(), st.integers(1, 2**53), st.text(), st.booleans())
def test_every_text_comes_back(text: str, seq: int, item: str, more: bool) -> None:
    line, record = encode(
        DaemonStopped(reason=text), seq=seq, d=seq - 1, ts=TS, item=item, more=more, prev=ZERO_HASH, limit=1 << 20
    )
    assert line.count(b"\n") == 1
    assert decode(line[:-1]) == record
    assert (record.data, record.seq, record.d, record.item, record.more) == (
        DaemonStopped(reason=text),
        seq,
        seq - 1,
        item,
        more,
    )


@given(st.binary(max_size=300))
def test_no_bytes_upset_the_reader(data: bytes) -> None:
    for line in (data, seal(data), seal(b'{"v":1,"seq":1,"d":0,"type":"daemon.stopped"' + data)):
        with pytest.raises((BadLine, FutureRecord)):
            decode(line)
        assert durable_claim(line) == 0
        value_of(line)
        assert Chain().follow([line]) == []


def test_every_event_has_a_place_in_the_journal() -> None:
    for name in EVENTS:
        with pytest.raises(BadLine) as caught:
            decode(seal(b'{"v":1,"seq":1,"d":0,"ts":"","type":"%b","data":17,"prev":""' % name.encode()))
        assert caught.value.sealed


def test_a_record_encoded_elsewhere_says_what_its_line_says() -> None:
    line, record = line_of("x")
    elsewhere = json.loads(msgspec.json.encode(record))
    assert elsewhere == {key: value for key, value in json.loads(line).items() if key != "v"}


def test_deep_nesting_is_refused_as_damage() -> None:
    deep = seal(b'{"v":1,"seq":1,"type":"daemon.stopped","data":' + b"[" * 100_000)
    with pytest.raises(BadLine):
        decode(deep)
    assert value_of(deep) is None


def test_a_chain_stops_at_the_first_line_that_does_not_follow() -> None:
    first, one = line_of("a")
    second, two = line_of("b", 2, 1, one.h)
    third, _ = line_of("c", 3, 1, two.h)
    lines = [line[:-1] for line in (first, second, third)]
    assert len(Chain().follow(lines)) == 3
    cases = {
        "belongs": line_of("c", 4, 1, two.h)[0],
        "continue": line_of("c", 3, 1, one.h)[0],
        "durable": line_of("c", 3, 0, two.h)[0],
        "names 3 as durable": line_of("c", 3, 3, two.h)[0],
        "hash": third.replace(b'"c"', b'"d"'),
    }
    for what, line in cases.items():
        chain = Chain()
        assert chain.follow([*lines[:2], line[:-1]]) == [one, two]
        assert (chain.seq, chain.h, chain.d, chain.ts) == (2, two.h, 1, TS)
        assert what in chain.objection(line[:-1]).what


def test_upper_case_digits_are_another_hash() -> None:
    line, _ = line_of("x")
    for at in range(len(line) - 35, len(line) - 3):
        changed = line[:at] + line[at : at + 1].upper() + line[at + 1 : -1]
        assert is_sealed(changed) == (changed == line[:-1])


def test_times_are_text_with_six_decimals() -> None:
    for us, text in ((0, "1970-01-01T00:00:00.000000Z"), (1_790_000_000_000_001, "2026-09-21T14:13:20.000001Z")):
        assert timestamp(us) == text
        assert microseconds(text) == us


def test_a_repair_with_names_too_long_for_a_slot_still_leaves_a_valid_head() -> None:
    repaired = JournalRepaired(file="f" * 300, offset=1, cut_bytes=2, copy="c" * 300, last_seq=3)
    assert from_slot(to_slot(Mark(1, 7, ZERO_HASH, repaired))) == Mark(1, 7, ZERO_HASH)
    short = JournalRepaired(file="f", offset=1, cut_bytes=2, copy="c", last_seq=3)
    assert from_slot(to_slot(Mark(1, 7, ZERO_HASH, short))) == Mark(1, 7, ZERO_HASH, short)
