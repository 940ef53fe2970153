"""The runner with children that behave badly."""

import json
import subprocess
import sys

import pytest
from conftest import BASE_NAME, jsonl, make_rows, wait_for
from test_adapters import make

from understudy_trainer.jobs import runner as module
from understudy_trainer.jobs.runner import Runner
from understudy_trainer.jobs.store import Store
from understudy_trainer.locations import Locations
from understudy_trainer.processes import start_mark

METRICS = {"steps": 1, "seconds": 1.0, "trained_tokens": 1}
DONE = f"print({json.dumps(json.dumps({'kind': 'done', 'metrics': METRICS}))}, flush=True)"
CLOSE_AND_STAY = "import os, time; os.close(1); time.sleep(600)"


class Scripted(Runner):
    """Starts a script instead of a training; the adapter is there already."""

    script = ""

    def _spawn(self, folder):
        spec = json.loads((folder / "spec.json").read_text())
        into = self._workplace(spec["into"].rpartition(".making-")[2])
        into.rmdir()
        make(into)
        return subprocess.Popen([sys.executable, "-c", self.script], stdout=subprocess.PIPE, start_new_session=True)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LINGER", 0.3)
    (tmp_path / "artifacts/bases" / BASE_NAME).mkdir(parents=True)
    store, runner = Store(tmp_path), None

    def start(script: str) -> dict:
        nonlocal runner
        runner = Scripted(store, Locations(tmp_path / "artifacts"), tmp_path)
        runner.script = script
        content = jsonl(make_rows(1, 1))
        (tmp_path / "files/file-1.jsonl").write_bytes(content)
        import hashlib

        store.add_file("file-1", "rows.jsonl", "fine-tune", len(content), 1, hashlib.sha256(content).hexdigest())
        job, _ = store.add_job(
            key=None,
            fingerprint="f",
            training_file="file-1",
            validation_file=None,
            metadata={},
            spec={"lora": {"base_model": BASE_NAME}, "suffix": None},
        )
        runner.start()
        wait_for(lambda: store.job(job["id"])["finished_at"], 15)
        assert runner.wait_until_gone(job["id"], 5)
        return store.job(job["id"])

    yield start
    runner.stop()
    store.close()


def test_a_child_that_has_finished_but_does_not_leave_has_succeeded_and_is_ended(run):
    job = run(f"import os; {DONE}; {CLOSE_AND_STAY}")
    assert (job["status"], job["error"]) == ("succeeded", None)
    assert job["child_pid"] is None


def test_a_child_that_stops_talking_without_a_last_word_has_failed_and_is_ended(run, tmp_path):
    job = run(f"import os; open({json.dumps(str(tmp_path / 'pid'))}, 'w').write(str(os.getpid())); {CLOSE_AND_STAY}")
    assert (job["status"], job["error"]["code"]) == ("failed", "job_process_died")
    assert start_mark(int((tmp_path / "pid").read_text())) is None


def test_noise_on_the_pipe_is_ignored_and_a_killed_child_is_told_by_its_signal(run):
    job = run("import os, signal; print('noise'); print('[1]', flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    assert job["status"] == "failed"
    assert job["error"]["message"] == "the job's process ended by signal 9"
