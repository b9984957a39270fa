"""The available memory, as the system reports it."""

import resource
from pathlib import Path

import pytest

from neural_style.objective import available_bytes, system_memory

GIB = 2**30


def test_the_machine_reports_its_available_memory():
    found = available_bytes()
    assert found is None or 2**20 < found < 2**50


def test_without_a_report_half_of_the_installed_memory_counts(monkeypatch):
    def unreadable(self, *arguments, **options):
        raise OSError

    monkeypatch.setattr(Path, "read_text", unreadable)
    found = available_bytes()
    assert found is None or found > 2**20


# --- control groups ----------------------------------------------------------------------------------


@pytest.fixture
def groups(monkeypatch, tmp_path):
    """A tree of control groups in place of the system's: `groups(lines, {folder: {file: text}})`."""
    real = Path.read_text

    def place(lines, folders):
        for folder, files in folders.items():
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (tmp_path / folder / name).write_text(str(text))
        monkeypatch.setattr(Path, "read_text", lambda self: lines if str(self) == "/proc/self/cgroup" else real(self))
        monkeypatch.setattr(system_memory, "CONTROL_GROUPS", str(tmp_path))

    return place


def v2(limit, used, cached=0):
    return {"memory.max": limit, "memory.current": used, "memory.stat": f"anon 1\ninactive_file {cached}\n"}


def v1(limit, used, cached=0):
    stat = f"total_inactive_file {cached}\n"
    return {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used, "memory.stat": stat}


def test_the_tightest_of_nested_groups_counts(groups):
    groups("0::/user.slice/job", {"user.slice/job": v2("max", GIB), "user.slice": v2(4 * GIB, 3 * GIB), "": {}})
    assert system_memory._group_bytes() == GIB
    groups("0::/user.slice/job", {"user.slice/job": v2(2 * GIB, 1.5 * GIB // 1)})
    assert system_memory._group_bytes() == GIB  # a number that is no whole number is no limit
    groups("0::/user.slice/job", {"user.slice/job": v2(2 * GIB, 3 * GIB // 2)})
    assert system_memory._group_bytes() == GIB // 2


def test_a_group_of_which_only_the_root_is_visible_counts(groups):
    """In a container without a namespace of its own, the path is that of the host."""
    groups("0::/docker/0123", {"": v2(4 * GIB, 3 * GIB)})
    assert system_memory._group_bytes() == GIB


def test_the_first_version_of_control_groups_counts_too(groups):
    lines = "9:name=systemd:/\n5:cpu,cpuacct:/a\n4:memory:/a/b\n0::/"
    groups(lines, {"memory/a/b": v1(2**63 - 4096, GIB), "memory/a": v1(3 * GIB, GIB)})
    assert system_memory._group_bytes() == 2 * GIB


def test_file_contents_that_can_be_dropped_are_free(groups):
    groups("0::/job", {"job": v2(4 * GIB, 3 * GIB, cached=2 * GIB)})
    assert system_memory._group_bytes() == 3 * GIB


def test_no_groups_are_no_limit(groups):
    groups("0::/job", {})
    assert system_memory._group_bytes() is None


# --- limits of the process ---------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
@pytest.mark.parametrize("kind", [resource.RLIMIT_AS, resource.RLIMIT_DATA])
def test_the_limits_of_the_process_count(monkeypatch, kind):
    pages = [int(each) for each in Path("/proc/self/statm").read_text().split()]
    used = pages[0 if kind == resource.RLIMIT_AS else 5] * resource.getpagesize()
    none = (resource.RLIM_INFINITY,) * 2
    monkeypatch.setattr(resource, "getrlimit", lambda asked: (used + GIB, -1) if asked == kind else none)
    assert 0.5 * GIB < system_memory._own_bytes() <= 1.5 * GIB
    assert available_bytes() is None or available_bytes() <= 1.5 * GIB
    monkeypatch.setattr(resource, "getrlimit", lambda asked: none)
    assert system_memory._own_bytes() is None
