"""The child process of one job: reads its spec, trains, and tells the server on its standard output.

Messages are JSON lines: ``{"kind": "progress" | "message" | "done" | "failed", …}``. The server stores the adapter;
the child only fills the folder named in the spec, so that a job cancelled at the last moment leaves nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

from ..errors import RefusedError
from ..log import describe
from ..processes import end_with_parent


def run_child(spec_path: Path, parent: int) -> int:
    # Before anything slow is imported: if the server dies now, this process must not train on alone.
    end_with_parent(parent, lambda: os._exit(75), death_signal=signal.SIGKILL)
    report = _reporter()
    try:
        spec = json.loads(spec_path.read_bytes())
        report("done", **_train(spec, report))
        return 0
    except RefusedError as error:
        report("failed", code=error.code, message=error.message)
    except MemoryError:
        report("failed", code="out_of_memory", message="not enough memory")
    except Exception as error:  # a library's message may quote the data: type and place only
        facts = describe(error)
        report("failed", code="training_error", message=f"{facts['error']} at {', '.join(facts['at'])}")
    return 1


def _train(spec: dict, report) -> dict:
    from ..rows import read_rows
    from ..training.lora import LoraSpec, train_lora

    validation = spec["validation_file"]
    metrics = train_lora(
        LoraSpec(**spec["lora"]),
        spec["source"],
        read_rows(Path(spec["training_file"])),
        read_rows(Path(validation)) if validation else [],
        Path(spec["into"]),
        report,
    )
    return {"metrics": metrics}


def _reporter():
    """Keep the pipe for messages and send what libraries print to stderr, which the server keeps in a file."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    lock = threading.Lock()

    def report(kind: str, /, **facts: object) -> None:
        with lock:
            channel.write(json.dumps({"kind": kind, **facts}) + "\n")
            channel.flush()

    return report
