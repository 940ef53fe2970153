"""Runs jobs one at a time, each as a child process in a group of its own."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from ..adapters import store_adapter
from ..digest import file_sha256
from ..errors import RefusedError
from ..locations import Locations
from ..log import describe, log
from ..processes import kill_group, kill_leftover, start_mark
from .schemas import plain_word
from .store import ACTIVE, Store

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL for a cancelled child."""

LINGER = 5.0
"""Seconds a child may take to end after its last word."""


@dataclass
class _Child:
    job: dict
    process: subprocess.Popen
    last: dict = field(default_factory=dict)


class Runner:
    """One thread owns every child. It lives as long as the server, because on Linux a child is told to die with the
    thread that started it."""

    def __init__(self, store: Store, locations: Locations, state: Path, *, secret_env: str | None = None) -> None:
        self._store, self._locations, self._state = store, locations, state
        self._secret_env = secret_env
        self._inbox: queue.Queue[tuple] = queue.Queue()
        self._child: _Child | None = None
        self._busy: str | None = None
        self._stopping = False
        self._idle = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)
        (state / "files").mkdir(parents=True, exist_ok=True)
        (state / "jobs").mkdir(exist_ok=True)
        (locations.artifacts / "adapters").mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        self._recover()
        self._thread.start()

    def wake(self) -> None:
        """There is a new job, or one was cancelled."""
        self._inbox.put(("wake",))

    def stop(self, timeout: float = 10.0) -> None:
        """End the child and leave its job queued, to be run again at the next start."""
        self._stopping = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def wait_until_gone(self, job_id: str, timeout: float) -> bool:
        """Wait until no child works for this job."""
        with self._idle:
            return self._idle.wait_for(lambda: self._busy != job_id, timeout)

    # Start and restart

    def _recover(self) -> None:
        for job in self._store.running():
            killed = job["child_pid"] is not None and kill_leftover(job["child_pid"], job["child_mark"])
            log("job_interrupted", job=job["id"], child_killed=killed, restarts=job["restarts"])
            self._clean(job["id"])
            fresh = {"child_pid": None, "child_mark": None, "progress": None}
            if job["restarts"] < 1:
                message = "The trainer was interrupted while this job ran; it starts again from the beginning"
                self._store.move(
                    job["id"], ("running",), "queued", message, restarts=job["restarts"] + 1, started_at=None, **fresh
                )
            else:
                error = {"code": "interrupted", "message": "the trainer was interrupted twice during this job"}
                self._fail(job, error, **fresh)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._step()
            except Exception as error:
                log("runner_error", level="error", **describe(error))
                time.sleep(1)
        if self._child:
            self._end_child()
            self._store.move(
                self._child.job["id"],
                ("running",),
                "queued",
                "The trainer is stopping; the job will start again from the beginning",
                child_pid=None,
                child_mark=None,
                progress=None,
                started_at=None,
            )
            self._forget_child()

    def _step(self) -> None:
        while job := self._store.oldest("validating_files"):
            self._validate(job)
        if self._child is None and (job := self._store.oldest("queued")):
            self._launch(job)
        kind, *rest = self._inbox.get()
        if self._child and kind == "line" and rest[0] is self._child:
            self._hear(self._child, rest[1])
        elif self._child and kind == "eof" and rest[0] is self._child:
            self._conclude(self._child)
        elif self._child and kind == "wake" and not self._stopping:
            if self._store.job(self._child.job["id"])["status"] == "cancelled":
                self._end_child()
                self._forget_child()

    # One job

    def _file(self, file_id: str) -> Path:
        return self._state / "files" / f"{file_id}.jsonl"

    def _validate(self, job: dict) -> None:
        for name in ("training_file", "validation_file"):
            if job[name] is None:
                continue
            path = self._file(job[name])
            if not path.is_file() or file_sha256(path) != job["data"][name]:
                self._fail(job, {"code": "invalid_file", "message": f"{name} is missing or damaged", "param": name})
                return
        self._store.move(job["id"], ("validating_files",), "queued", "Files validated, moving job to queued state")

    def _launch(self, job: dict) -> None:
        spec = job["spec"]
        try:
            base = self._locations.base(spec["lora"]["base_model"])
        except RefusedError as error:  # it was there when the job was created
            self._fail(job, {"code": error.code, "message": error.message, "param": "understudy.base_model"})
            return
        self._clean(job["id"])
        folder, into = self._folder(job["id"]), self._workplace(job["id"])
        folder.mkdir(parents=True)
        into.mkdir(parents=True)
        validation = job["validation_file"]
        (folder / "spec.json").write_text(
            json.dumps(
                {
                    "lora": spec["lora"],
                    "source": base.source,
                    "training_file": str(self._file(job["training_file"])),
                    "validation_file": str(self._file(validation)) if validation else None,
                    "into": str(into),
                }
            )
        )
        self._occupy(job["id"])
        if not self._store.move(
            job["id"], ("queued",), "running", "Fine-tuning job started", started_at=int(time.time())
        ):
            self._occupy(None)
            return  # cancelled a moment ago
        try:
            process = self._spawn(folder)
        except OSError as error:
            self._fail(job, {"code": "job_process_died", "message": f"could not start: {os.strerror(error.errno)}"})
            self._occupy(None)
            return
        child = self._child = _Child(job, process)
        self._store.set(job["id"], child_pid=process.pid, child_mark=start_mark(process.pid))
        threading.Thread(target=self._listen, args=(child,), name="child-output", daemon=True).start()
        log("job_started", job=job["id"], child=process.pid)

    def _spawn(self, folder: Path) -> subprocess.Popen:
        environment = {k: v for k, v in os.environ.items() if k != self._secret_env}
        environment |= {
            # Threads that spin while they wait cost more than they compute once cores are shared.
            "OMP_WAIT_POLICY": "PASSIVE",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, [_package_root(), os.environ.get("PYTHONPATH")])),
        }
        with open(folder / "output.log", "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
            return subprocess.Popen(
                [sys.executable, "-m", "understudy_trainer", "_job", str(folder / "spec.json"), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment,
                start_new_session=True,
            )

    def _listen(self, child: _Child) -> None:
        with child.process.stdout as stream:
            for line in stream:
                self._inbox.put(("line", child, line))
        self._inbox.put(("eof", child))

    def _hear(self, child: _Child, line: bytes) -> None:
        try:
            facts = json.loads(line)
            kind = facts.pop("kind")
        except (ValueError, KeyError, AttributeError):
            return  # not ours: something wrote to the pipe behind our back
        if kind == "progress":
            text = f"Step {facts['step']}/{facts['total_steps']}: training loss={facts['train_loss']}"
            self._store.progress(child.job["id"], text, facts)
        elif kind == "message":
            self._store.event(child.job["id"], facts["message"], level=facts.get("level", "info"))
        elif kind in ("done", "failed"):
            child.last = {"kind": kind, **facts}

    def _conclude(self, child: _Child) -> None:
        """The child closed its pipe: see how it ended. Its last word counts, not how long it takes to leave."""
        job, said = child.job, child.last.get("kind")
        try:
            code = child.process.wait(LINGER)
        except subprocess.TimeoutExpired:
            self._end_child()
            code = child.process.returncode
        if said == "done":
            try:
                self._succeed(job, child.last["metrics"])
            except (RefusedError, OSError) as error:
                text = error.message if isinstance(error, RefusedError) else type(error).__name__
                self._fail(job, {"code": "adapter_not_stored", "message": text})
        elif said == "failed":
            self._fail(job, {"code": child.last["code"], "message": child.last["message"]})
        else:
            how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
            self._fail(job, {"code": "job_process_died", "message": f"the job's process ended by {how}"})
        self._forget_child()

    def _succeed(self, job: dict, metrics: dict) -> None:
        if self._store.job(job["id"])["status"] != "running":
            return  # cancelled after its last step: what it made is thrown away
        uri, facts = store_adapter(self._workplace(job["id"]), self._locations.artifacts)
        adapter = {"uri": uri, "sha256": facts.digest, "base_model": facts.base_model, "rank": facts.rank}
        suffix = job["spec"]["suffix"] or ""
        name = f"ft:{plain_word(facts.base_model)}:understudy:{plain_word(suffix)}:{facts.digest[:12]}"
        result = {"adapter": adapter, "metrics": metrics, "fine_tuned_model": name}
        if self._store.move(job["id"], ("running",), "succeeded", "The job has successfully completed", result=result):
            log("job_succeeded", job=job["id"], digest=facts.digest, steps=metrics["steps"], seconds=metrics["seconds"])

    def _fail(self, job: dict, error: dict, **changes: object) -> None:
        error = {"param": None, **error}
        if self._store.move(job["id"], ACTIVE, "failed", f"Job failed: {error['message']}", error=error, **changes):
            log("job_failed", level="error", job=job["id"], code=error["code"])

    # Endings

    def _end_child(self) -> None:
        process = self._child.process

        def ended(seconds: float) -> bool:
            try:
                process.wait(seconds)
                return True
            except subprocess.TimeoutExpired:
                return False

        if not kill_group(process.pid, grace=GRACE, ended=ended):
            log("child_not_killed", level="error", job=self._child.job["id"], child=process.pid)

    def _forget_child(self) -> None:
        child = self._child
        self._clean(child.job["id"])
        self._store.set(child.job["id"], child_pid=None, child_mark=None)
        log("job_child_ended", job=child.job["id"], child=child.process.pid, code=child.process.returncode)
        self._child = None
        self._occupy(None)

    def _occupy(self, job_id: str | None) -> None:
        with self._idle:
            self._busy = job_id
            self._idle.notify_all()

    def _folder(self, job_id: str) -> Path:
        return self._state / "jobs" / job_id

    def _workplace(self, job_id: str) -> Path:
        # Beside the finished adapters, so that storing one is a rename.
        return self._locations.artifacts / "adapters" / f".making-{job_id}"

    def _clean(self, job_id: str) -> None:
        shutil.rmtree(self._workplace(job_id), ignore_errors=True)
        folder = self._folder(job_id)
        job = self._store.job(job_id)
        if job["status"] != "failed":  # then its libraries' output may explain it
            shutil.rmtree(folder, ignore_errors=True)


def _package_root() -> str:
    return str(Path(__file__).resolve().parents[2])
