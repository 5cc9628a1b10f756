"""How many cores a process may use, inside and outside of containers."""

import os
from pathlib import Path

import pytest

import trainer.hardware.machine
from trainer.hardware.machine import usable_cores

VERSION_1 = "4:memory:/docker/1\n1:cpu,cpuacct:/docker/1\n0::/docker/1\n"
VERSION_2 = "0::/jobs/mine\n"


def lay_out(folder: Path, own: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes these the files of the kernel's control groups."""
    for name, text in files.items():
        (folder / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "fs" / name).write_text(text)
    (folder / "cgroup").write_text(own)
    monkeypatch.setattr(trainer.hardware.machine, "_OWN_GROUPS", folder / "cgroup")
    monkeypatch.setattr(trainer.hardware.machine, "_GROUPS", folder / "fs")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        (VERSION_2, {"jobs/mine/cpu.max": "200000 100000\n"}, 2),
        (VERSION_2, {"jobs/mine/cpu.max": "150000 100000\n"}, 2),
        (VERSION_2, {"jobs/mine/cpu.max": "5000 100000\n"}, 1),
        (VERSION_2, {"jobs/mine/cpu.max": "max 100000\n", "jobs/cpu.max": "800000 100000\n"}, 8),
        (VERSION_2, {"jobs/mine/cpu.max": "9900000 100000\n"}, 64),
        (VERSION_2, {"cpu.max": "300000 100000\n"}, 3),
        (VERSION_2, {"jobs/mine/cpu.max": ""}, 64),
        (VERSION_2, {}, 64),
        ("", {"cpu.max": "300000 100000\n"}, 64),
        (VERSION_1, {"cpu/docker/1/cpu.cfs_quota_us": "200000", "cpu/docker/1/cpu.cfs_period_us": "50000"}, 4),
        (VERSION_1, {"cpu/docker/1/cpu.cfs_quota_us": "-1", "cpu/docker/1/cpu.cfs_period_us": "100000"}, 64),
        (VERSION_1, {"cpu/cpu.cfs_quota_us": "500000", "cpu/cpu.cfs_period_us": "100000"}, 5),
    ],
)
def test_a_container_gives_as_many_cores_as_it_may_keep_busy(
    own: str, files: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path, own, files, monkeypatch)
    assert usable_cores() == expected


def test_a_process_that_is_bound_to_fewer_cores_uses_those(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(tmp_path, VERSION_2, {"cpu.max": "300000 100000\n"}, monkeypatch)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 9}, raising=False)
    assert usable_cores() == 2
