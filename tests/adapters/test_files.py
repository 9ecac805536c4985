"""Small files: read bounded and without tricks, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from golemd.adapters.files import MAX_CONFIG_BYTES, read_bounded, read_text, write_durable, write_new, write_private
from golemd.api.faults import Invalid, Unavailable


def test_a_plain_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert read_bounded(file, 10) is None
    file.write_bytes(b"0123456789")
    assert read_bounded(file, 10) == b"0123456789"
    assert read_bounded(file, 9) == "file is larger than 9 bytes"


def test_what_is_no_plain_file_is_said_and_never_waited_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    assert read_bounded(tmp_path / "folder", 10) == "folder is not a plain file"
    assert read_bounded(tmp_path / "pipe", 10) == "pipe is not a plain file"
    assert str(read_bounded(tmp_path / "link", 10)).startswith("link cannot be read")


def test_a_configuration_is_text_and_may_be_linked(tmp_path: Path) -> None:
    assert read_text(tmp_path / "none.toml") is None
    (tmp_path / "real.toml").write_text("a = 'ü'", encoding="utf-8")
    (tmp_path / "link.toml").symlink_to("real.toml")
    assert read_text(tmp_path / "link.toml") == "a = 'ü'"


@pytest.mark.parametrize("content", [b"\xff", b"#" * (MAX_CONFIG_BYTES + 1)])
def test_a_configuration_that_is_no_text_or_too_large_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "golem.toml").write_bytes(content)
    with pytest.raises(Invalid, match=r"golem\.toml") as caught:
        read_text(tmp_path / "golem.toml")
    assert caught.value.code == "unreadable_file"
    assert caught.value.hint


def test_a_configuration_that_cannot_be_looked_at_is_refused(tmp_path: Path) -> None:
    (tmp_path / "golem.toml").symlink_to("golem.toml")
    for path in (tmp_path / "golem.toml", tmp_path / ("x" * 300) / "golem.toml"):
        with pytest.raises(Invalid, match=r"golem\.toml cannot be read: ") as caught:
            read_text(path)
        assert caught.value.code == "unreadable_file"


def test_a_new_file_is_written_whole_and_an_old_one_left_alone(tmp_path: Path) -> None:
    assert write_new(tmp_path / "new", "first")
    assert not write_new(tmp_path / "new", "second")
    assert (tmp_path / "new").read_text() == "first"
    assert os.listdir(tmp_path) == ["new"]


def test_a_new_file_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written") as caught:
        write_new(tmp_path / "nowhere" / "new", "text")
    assert caught.value.code == "unwritable_file"
    assert caught.value.hint


def test_a_private_file_is_replaced_and_its_owners_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", "one")
    write_private(tmp_path / "secret", "two")
    assert (tmp_path / "secret").read_text() == "two"
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_durable_files_are_replaced_whole_in_a_folder_of_ours(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        write_durable(tmp_path / "made", {"a": content, "b": content})
    assert sorted(os.listdir(tmp_path / "made")) == ["a", "b"]
    assert (tmp_path / "made" / "a").read_bytes() == (tmp_path / "made" / "b").read_bytes() == b"two"
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "made").iterdir()} == {0o600}
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700


def test_a_durable_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_durable(tmp_path, {"a": b"one"})
    (tmp_path / ".a.new").mkdir()
    with pytest.raises(IsADirectoryError):
        write_durable(tmp_path, {"a": b"two"})
    assert (tmp_path / "a").read_bytes() == b"one"
