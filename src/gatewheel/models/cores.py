"""How many cores this process may really use: affinity and the container's quota, not the machine's total."""

from __future__ import annotations

import os
from pathlib import Path


def available_cores(*, cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that the affinity mask allows and the cgroup's CPU quota pays for; at least 1.

    Threads beyond the quota are throttled while the others spin for them, which costs several times the speed.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _quota(cgroup) or cores))


def _quota(cgroup: Path) -> int:
    """Whole cores of the quota, rounded up; 0 when there is none. Version 2 of cgroups, then version 1."""
    try:
        allowed, _, period = (cgroup / "cpu.max").read_text().strip().partition(" ")
    except OSError:
        try:
            allowed = (cgroup / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return 0
    if not allowed.isdigit() or not period.isdigit() or int(period) == 0:
        return 0
    return -(-int(allowed) // int(period))
