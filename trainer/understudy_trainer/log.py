"""Structured log lines on stderr: one JSON object a line, never any text of a conversation.

Callers pass ids, counts, durations and codes. Exceptions are logged by type and place only, because a library's
exception message may quote the input it failed on.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback

_lock = threading.Lock()


def log(event: str, /, level: str = "info", **fields: object) -> None:
    """Write one line ``{"time", "level", "event", …fields}``."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() * 1000) % 1000:03d}Z"
    line = json.dumps({"time": stamp, "level": level, "event": event, "pid": os.getpid(), **fields}, default=str)
    with _lock:
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass  # a closed stderr must never stop a job


def describe(error: BaseException) -> dict[str, object]:
    """The type of an exception and the last places it passed through, without its message."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return {
        "error": type(error).__name__,
        "at": [f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames],
    }
