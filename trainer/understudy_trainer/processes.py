"""Processes that must not outlive their reason: parents, children and what a killed server left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int, action: Callable[[], None], *, death_signal: int, poll: float = 1.0) -> None:
    """Call ``action`` once the process ``parent`` is no longer this process's parent.

    On Linux the kernel also sends ``death_signal`` the moment the thread that started this process ends; polling
    covers other systems and the moment before this call.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:
        action()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(poll)
        action()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def start_mark(pid: int) -> str | None:
    """A mark that a later process with the same number does not share, or None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"
    except (FileNotFoundError, ProcessLookupError):
        if sys.platform == "linux":
            return None
    import psutil

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def kill_group(pid: int, *, grace: float, ended: Callable[[float], bool]) -> bool:
    """End a process group: SIGTERM, then SIGKILL after ``grace`` seconds. ``ended(seconds)`` waits and tells."""
    for code, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(pid, code)
        except (ProcessLookupError, PermissionError):
            pass
        if ended(patience):
            return True
    return False


def kill_leftover(pid: int, mark: str) -> bool:
    """Kill the group of a child of an earlier server, if that very process still lives. True if it did."""
    if start_mark(pid) != mark:
        return False

    def ended(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if start_mark(pid) != mark:
                return True
            time.sleep(0.02)
        return False

    kill_group(pid, grace=0.5, ended=ended)
    return True
