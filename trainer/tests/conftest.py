"""A tiny base, built once, and the two servers as the real processes that operators run."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
BASE_NAME = "tiny"
LABELS = ["card_lost", "refund_late", "pin_blocked", "transfer_failed"]
WORDS = {
    "card_lost": ["lost", "card", "wallet", "stolen"],
    "refund_late": ["refund", "late", "waiting", "back"],
    "pin_blocked": ["pin", "blocked", "code", "wrong"],
    "transfer_failed": ["transfer", "failed", "send", "bank"],
}


def make_rows(count: int, seed: int, labels: list[str] = LABELS) -> list[dict]:
    """Questions of a few words; the answer is the label that the words belong to."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        label = chance.choice(labels)
        text = " ".join(chance.choices(WORDS[label], k=3) + chance.choices(["my", "the", "please", "help"], k=2))
        rows.append({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": label}]})
    return rows


def jsonl(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}


class Server:
    """A server process on a free port, its log kept for assertions."""

    def __init__(self, *arguments: object, prefix: list[str] | None = None) -> None:
        command = [sys.executable, "-m", "understudy_trainer", *map(str, arguments), "--port", "0"]
        self.process = subprocess.Popen(
            [*(prefix or []), *command], stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True
        )
        Server.alive.append(self.process)
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(60) and self.port, "".join(self.lines)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)

    port: int | None = None
    alive: list[subprocess.Popen] = []

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r'"event": "listening".*"port": (\d+)', line):
                self.port = int(found[1])
                self._ready.set()
        self._ready.set()

    def end(self, code: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(code)
        status = self.process.wait(20)
        self._reader.join(5)
        self.http.close()
        return status

    # The fine-tuning API

    def upload(self, rows: list[dict]) -> str:
        return self.send_file(jsonl(rows)).raise_for_status().json()["id"]

    def send_file(self, content: bytes, purpose: str = "fine-tune") -> httpx.Response:
        return self.http.post("/v1/files", files={"file": ("rows.jsonl", content)}, data={"purpose": purpose})

    def submit(self, training_file: str, key: str | None, epochs: int = 2, **fields: object) -> httpx.Response:
        understudy = {"base_model": BASE_NAME, "lora": {"rank": 4}, "seed": 7} | ({"key": key} if key else {})
        body = {
            "model": BASE_NAME,
            "training_file": training_file,
            "metadata": {"understudy_key": key} if key else {},
            "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs, "batch_size": 16}}},
            "understudy": understudy,
        }
        return self.http.post("/v1/fine_tuning/jobs", json=body | fields)

    def job(self, job_id: str) -> dict:
        return self.http.get(f"/v1/fine_tuning/jobs/{job_id}").raise_for_status().json()

    def events(self, job_id: str, **query: object) -> list[dict]:
        path = f"/v1/fine_tuning/jobs/{job_id}/events"
        return self.http.get(path, params=query).raise_for_status().json()["data"]

    def wait(self, job_id: str, *statuses: str, seconds: float = 90) -> dict:
        deadline = time.monotonic() + seconds
        while (job := self.job(job_id))["status"] not in statuses:
            assert time.monotonic() < deadline, job
            time.sleep(0.05)
        return job

    def children(self) -> list[int]:
        import psutil

        return [child.pid for child in psutil.Process(self.process.pid).children()]


def wait_for(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not reached in time"
        time.sleep(0.02)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    """A test that fails half-way leaves its server running."""
    yield
    for process in Server.alive:
        if process.poll() is None:
            process.kill()
            process.wait(10)


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory) -> Path:
    """An artifact root with the tiny base in ``bases/tiny``."""
    from understudy_trainer.base.build import build_base
    from understudy_trainer.base.options import BaseOptions

    root = tmp_path_factory.mktemp("artifacts")
    data = root / "base.jsonl"
    # The base never sees one of the labels' words: there is something left to learn.
    data.write_bytes(jsonl(make_rows(60, 1, LABELS[:2]) + make_rows(4, 2)))
    build_base(data, root / "bases" / BASE_NAME, BaseOptions(hidden=32, layers=1, heads=2, vocab=400, epochs=2))
    return root


@pytest.fixture(scope="session")
def trainer(artifacts, tmp_path_factory):
    server = Server("train", "--state", tmp_path_factory.mktemp("state"), "--artifacts", artifacts)
    yield server
    assert server.end() == 0


@pytest.fixture(scope="session")
def trained(trainer) -> dict:
    """A job that has succeeded."""
    training, validation = trainer.upload(make_rows(400, 3)), trainer.upload(make_rows(40, 4))
    job = trainer.submit(training, "cycle-1", epochs=6, validation_file=validation).raise_for_status().json()
    return trainer.wait(job["id"], "succeeded", "failed")
