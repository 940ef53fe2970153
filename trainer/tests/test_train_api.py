"""The fine-tuning API of a real server whose jobs really train."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BASE_NAME, Server, environment, jsonl, make_rows, wait_for

from understudy_trainer.adapters import check_adapter
from understudy_trainer.processes import kill_leftover, start_mark

LONG = 100
"""Epochs that nobody waits for."""


def gone(pid: int) -> bool:
    return start_mark(pid) is None


def test_health_is_answered_without_torch(trainer):
    assert trainer.http.get("/healthz").json() == {"status": "ok"}
    if sys.platform == "linux":
        assert "libtorch" not in Path(f"/proc/{trainer.process.pid}/maps").read_text()


def test_a_job_trains_reports_and_ends_with_a_checked_adapter(trainer, trained, artifacts):
    assert trained["status"] == "succeeded", trained["error"]
    adapter, metrics = trained["understudy"]["adapter"], trained["understudy"]["metrics"]
    folder = artifacts / "adapters" / adapter["sha256"]
    assert adapter["uri"] == f"artifact:adapters/{adapter['sha256']}"
    assert sorted(path.name for path in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert check_adapter(folder).digest == adapter["sha256"]
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == adapter["base_model"] == BASE_NAME
    assert config["r"] == adapter["rank"] == 4
    assert metrics["rows"] == 400 and metrics["steps"] == 6 * 25
    assert metrics["last_loss"] < 0.7 * metrics["first_loss"]
    assert metrics["validation_loss"] < metrics["first_loss"]
    assert trained["fine_tuned_model"].startswith("ft:tiny:understudy:")
    assert trained["finished_at"] >= trained["created_at"]
    assert trained["metadata"] == {"understudy_key": "cycle-1"}
    assert trained["hyperparameters"] == {"n_epochs": 6, "batch_size": 16, "learning_rate_multiplier": 1.0}


def test_events_tell_the_story_with_metrics_and_are_paged_newest_first(trainer, trained):
    events = trainer.events(trained["id"], limit=100)
    messages = [event["message"] for event in events][::-1]
    assert messages[0] == "Created fine-tuning job"
    assert messages[2] == "Fine-tuning job started"
    assert messages[-1] == "The job has successfully completed"
    metrics = [event["data"] for event in events if event["type"] == "metrics"][::-1]
    assert [set(entry) for entry in metrics] == [{"step", "total_steps", "train_loss"}] * len(metrics)
    assert metrics[0]["step"] == 1 and metrics[-1]["step"] == metrics[-1]["total_steps"] == 150
    assert metrics[-1]["train_loss"] < metrics[0]["train_loss"]
    pages, after = [], {}
    while True:
        page = trainer.http.get(f"/v1/fine_tuning/jobs/{trained['id']}/events", params={"limit": 3} | after).json()
        pages += page["data"]
        if not page["has_more"]:
            break
        after = {"after": page["last_id"]}
    assert pages == events


def test_nothing_of_a_conversation_reaches_the_log(trainer, trained):
    log = "".join(trainer.lines)
    assert '"event": "job_succeeded"' in log
    assert not any(word in log for word in ("stolen", "wallet", "card_lost", "refund"))
    assert all(json.loads(line)["event"] for line in trainer.lines)


def test_the_same_key_finds_the_same_job_and_another_job_under_it_is_a_conflict(trainer, trained):
    rows = trainer.upload(make_rows(400, 3))
    validation = trained["validation_file"]
    again = trainer.submit(rows, "cycle-1", epochs=6, validation_file=validation)
    assert (again.status_code, again.json()["id"]) == (200, trained["id"])
    other = trainer.submit(rows, "cycle-1", epochs=7, validation_file=validation)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "understudy_key_conflict")
    query = {"metadata[understudy_key]": "cycle-1"}
    assert [job["id"] for job in trainer.http.get("/v1/fine_tuning/jobs", params=query).json()["data"]] == [
        trained["id"]
    ]


def test_a_cancelled_job_has_lost_its_process_when_the_answer_comes_and_the_next_one_runs(trainer, trained, artifacts):
    rows = trainer.upload(make_rows(2000, 8))
    first = trainer.submit(rows, "long-1", epochs=LONG).json()
    second = trainer.submit(rows, "long-2", epochs=LONG).json()
    third = trainer.submit(rows, "long-3", epochs=LONG).json()
    trainer.wait(first["id"], "running")
    wait_for(lambda: trainer.job(first["id"])["understudy"]["progress"], 60)  # in the midst of training
    assert {trainer.job(job["id"])["status"] for job in (second, third)} == {"queued"}
    wait_for(lambda: len(trainer.children()) == 1)
    (child,) = trainer.children()

    waiting = trainer.http.post(f"/v1/fine_tuning/jobs/{third['id']}/cancel").json()
    running = trainer.http.post(f"/v1/fine_tuning/jobs/{first['id']}/cancel").json()
    assert gone(child)
    assert (waiting["status"], running["status"]) == ("cancelled", "cancelled")
    assert running["finished_at"] is not None
    assert not (artifacts / "adapters" / f".making-{first['id']}").exists()

    trainer.wait(second["id"], "running")
    fresh = trainer.submit(rows, "long-1", epochs=LONG).json()
    assert fresh["id"] != first["id"]
    for job in (fresh, second):
        trainer.http.post(f"/v1/fine_tuning/jobs/{job['id']}/cancel").raise_for_status()
    assert trainer.http.post(f"/v1/fine_tuning/jobs/{first['id']}/cancel").status_code == 200
    refused = trainer.http.post(f"/v1/fine_tuning/jobs/{trained['id']}/cancel")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "job_already_ended")
    assert trainer.children() == []


def test_a_nonsense_file_is_refused_with_its_line_number(trainer):
    good = jsonl(make_rows(2, 1))
    for content, says in (
        (good + b"nonsense\n", "line 3: not valid JSON"),
        (b"\x89PNG\r\n\x1a\n\xff", "line 1: not UTF-8"),
    ):
        error = trainer.send_file(content).json()["error"]
        assert error["message"].startswith(says)
        assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_file", "file")
    assert trainer.send_file(good, purpose="assistants").json()["error"]["param"] == "purpose"
    missing = trainer.http.post("/v1/files", data={"purpose": "fine-tune"})
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "file")


def test_files_are_listed_read_back_and_deleted(trainer):
    content = jsonl(make_rows(3, 9))
    file = trainer.send_file(content).json()
    assert (file["object"], file["purpose"], file["bytes"]) == ("file", "fine-tune", len(content))
    assert trainer.http.get(f"/v1/files/{file['id']}").json() == file
    assert trainer.http.get(f"/v1/files/{file['id']}/content").content == content
    assert trainer.http.get("/v1/files", params={"limit": 1}).json()["data"] == [file]
    assert trainer.http.delete(f"/v1/files/{file['id']}").json() == {
        "id": file["id"],
        "object": "file",
        "deleted": True,
    }
    for call in (trainer.http.get, trainer.http.delete):
        assert call(f"/v1/files/{file['id']}").status_code == 404


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"training_file": "file-000000000000000000000000"}, "training_file"),
        ({"training_file": "../../etc/passwd"}, "training_file"),
        ({"surprise": 1}, "surprise"),
        ({"understudy": {"base_model": "/etc"}}, "understudy.base_model"),
        ({"understudy": {"base_model": "absent"}}, "understudy.base_model"),
        ({"understudy": {"base_model": BASE_NAME, "lora": {"rank": 0}}}, "understudy.lora.rank"),
        ({"hyperparameters": {"n_epochs": "many"}}, None),
        ({"metadata": {"understudy_key": "other"}, "understudy": {"key": "one"}}, None),
    ],
)
def test_a_wrong_request_is_refused_in_openai_s_shape(trainer, trained, change, param):
    answer = trainer.http.post(
        "/v1/fine_tuning/jobs", json={"model": BASE_NAME, "training_file": trained["training_file"]} | change
    )
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert set(error) == {"message", "type", "param", "code"}
    assert param is None or error["param"] == param


def test_unknown_things_are_404_in_openai_s_shape(trainer):
    for path in ("/v1/fine_tuning/jobs/ftjob-1", "/v1/fine_tuning/jobs/ftjob-1/events", "/v1/files/file-1", "/nowhere"):
        answer = trainer.http.get(path)
        assert (answer.status_code, set(answer.json())) == (404, {"error"})


def test_jobs_survive_stops_and_kills_and_train_the_same_adapter_again(artifacts, tmp_path, trained, trainer):
    """SIGTERM: resumed for free. SIGKILL: the child dies too, one fresh start; a second SIGKILL fails the job."""
    arguments = ("train", "--state", tmp_path / "state", "--artifacts", artifacts)
    server = Server(*arguments)
    rows, validation = server.upload(make_rows(400, 3)), server.upload(make_rows(40, 4))
    long = server.submit(rows, "long", epochs=LONG).json()["id"]
    short = server.submit(rows, "short", epochs=6, validation_file=validation).json()["id"]
    server.wait(long, "running")
    wait_for(server.children)
    child = server.children()[0]
    assert server.end(signal.SIGTERM) == 0
    assert gone(child)

    for restarts in (0, 1):
        server = Server(*arguments)
        job = server.wait(long, "running")
        assert job["understudy"]["restarts"] == restarts
        assert server.job(short)["status"] == "queued"
        wait_for(server.children)
        child = server.children()[0]
        server.end(signal.SIGKILL)
        wait_for(lambda pid=child: gone(pid), 5)

    server = Server(*arguments)
    job = server.job(long)
    assert (job["status"], job["error"]["code"]) == ("failed", "interrupted")
    told = [event["message"] for event in server.events(long)]
    assert sum("starts again from the beginning" in message for message in told) == 1
    again = server.wait(short, "succeeded", "failed")
    assert again["status"] == "succeeded", again["error"]
    server.end()
    # The same data and seed in another server: the same adapter, byte for byte.
    assert again["understudy"]["adapter"] == trained["understudy"]["adapter"]
    assert again["id"] != trained["id"]


def test_a_second_server_on_the_same_state_is_refused(trainer, artifacts):
    state = next(
        arg for flag, arg in zip(trainer.process.args, trainer.process.args[1:], strict=False) if flag == "--state"
    )
    command = [sys.executable, "-m", "understudy_trainer", "train", "--port", "0", "--state", state]
    second = subprocess.run(
        [*command, "--artifacts", str(artifacts)], env=environment(), capture_output=True, text=True, timeout=30
    )
    assert second.returncode == 1
    assert "another process uses" in second.stderr


def test_a_server_told_to_ends_with_its_parent_and_takes_its_job_s_process_along(artifacts, tmp_path):
    launcher = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(600)"
    server = Server(
        *("train", "--state", tmp_path / "state", "--artifacts", artifacts, "--exit-with-parent"),
        prefix=[sys.executable, "-c", launcher],
    )
    job = server.submit(server.upload(make_rows(400, 3)), None, epochs=LONG).json()["id"]
    server.wait(job, "running")
    (trainer_pid,) = server.children()

    def child() -> int | None:
        with sqlite3.connect(tmp_path / "state" / "trainer.sqlite3") as db:
            return db.execute("SELECT child_pid FROM jobs").fetchone()[0]

    wait_for(child)
    pid = child()
    os.kill(server.process.pid, signal.SIGKILL)
    wait_for(lambda: gone(trainer_pid) and gone(pid), 10)


def test_a_key_is_required_where_one_is_set(artifacts, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "s3cret")
    server = Server("train", "--state", tmp_path, "--artifacts", artifacts, "--api-key-env", "SOME_KEY")
    assert server.http.get("/healthz").status_code == 200
    refused = server.http.get("/v1/files")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert server.http.get("/v1/files", headers={"authorization": "Bearer s3cret"}).status_code == 200
    server.end()


def test_a_leftover_process_is_killed_only_if_it_is_the_one_recorded():
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        mark = start_mark(process.pid)
        assert not kill_leftover(process.pid, "another boot:1")
        assert process.poll() is None
        assert kill_leftover(process.pid, mark)
        assert process.wait(5) == -signal.SIGTERM
        assert not kill_leftover(process.pid, mark)
    finally:
        process.kill()
