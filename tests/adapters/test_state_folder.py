"""Where a state folder may lie: on a file system whose locks and flushes can be trusted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from golemd.adapters import state_folder
from golemd.adapters.state_folder import StateFolder, StateFolderUnusable

# Mounts as /proc/self/mountinfo shows them: type, source, options of the file system.
REMOTE = (
    "nfs4 server:/home rw,vers=4.2",
    "fuse.sshfs me@server: rw",
    "fuse.glusterfs server:/gv0 rw",
    "lustre 10.0.0.1@tcp:/lustre rw",
    "gpfs gpfs0 rw",
    "beegfs beegfs_nodev rw",
    "ceph 10.0.0.1:6789:/ rw",
    "fuse.ceph-fuse ceph-fuse rw",
    "fuse.rclone remote: rw",
    "fuse.s3fs s3fs rw",
)
LOCAL = ("ext4 /dev/sda1 rw", "btrfs /dev/sda2 rw", "fuse.gocryptfs /home/me/cipher rw", "fuse.mergerfs a:b rw")


def _mounted(monkeypatch: pytest.MonkeyPatch, folder: Path, mount: str) -> Path:
    """A folder that seems to lie on such a mount."""
    (folder / "state").mkdir()
    device = os.stat(folder).st_dev
    mounts = folder / "mountinfo"
    mounts.write_text(f"36 25 {os.major(device)}:{os.minor(device)} / /home rw shared:1 - {mount}\n", encoding="utf-8")
    monkeypatch.setattr(state_folder, "MOUNTS", mounts)
    return folder / "state"


@pytest.mark.parametrize("mount", REMOTE)
def test_a_network_file_system_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mount: str) -> None:
    with pytest.raises(StateFolderUnusable, match="network file system") as refused:
        StateFolder.open(_mounted(monkeypatch, tmp_path, mount))
    assert (refused.value.code, refused.value.exit_status) == ("state_folder_remote", 78)


@pytest.mark.parametrize("mount", LOCAL)
def test_a_local_one_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mount: str) -> None:
    StateFolder.open(_mounted(monkeypatch, tmp_path, mount)).close()
