"""The adapter server: in this process for speed, and once as the real command."""

import json
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import BASE_NAME, Server, environment, make_rows
from starlette.testclient import TestClient

from understudy_trainer.locations import Locations
from understudy_trainer.serving.app import create_app


def client_for(artifacts, **options):
    locations = Locations(artifacts)
    return TestClient(create_app(locations, locations.base(BASE_NAME), threads=1, **options))


@pytest.fixture(scope="module")
def server(artifacts):
    with client_for(artifacts) as client:
        yield client


@pytest.fixture
def adapter(artifacts, trained):
    return artifacts / "adapters" / trained["understudy"]["adapter"]["sha256"]


@pytest.fixture
def loaded(server, adapter):
    assert load(server, "m-v2", adapter).status_code == 200
    yield server
    server.post("/v1/unload_lora_adapter", json={"lora_name": "m-v2"})


def load(server, name, path):
    return server.post("/v1/load_lora_adapter", json={"lora_name": name, "lora_path": str(path)})


def ask(server, text="lost card", model="base", **options):
    return server.post(
        "/v1/chat/completions", json={"model": model, "messages": [{"role": "user", "content": text}]} | options
    )


def answer(server, text, model="base", **options) -> str:
    return (
        ask(server, text, model, max_tokens=8, **options).raise_for_status().json()["choices"][0]["message"]["content"]
    )


def right(server, model: str, rows: list[dict]) -> int:
    return sum(answer(server, row["messages"][0]["content"], model) == row["messages"][1]["content"] for row in rows)


def refused(response) -> tuple[int, str]:
    assert set(response.json()) == {"error"}
    return response.status_code, response.json()["error"]["message"]


def test_a_trained_adapter_is_loaded_listed_better_than_its_base_and_unloaded(server, adapter):
    response = load(server, "m-v2", adapter)
    assert (response.status_code, response.text) == (200, "Success: LoRA adapter 'm-v2' added successfully.")
    cards = {card["id"]: card for card in server.get("/v1/models").json()["data"]}
    assert (cards["base"]["parent"], cards["base"]["root"]) == (None, BASE_NAME)
    assert (cards["m-v2"]["parent"], cards["m-v2"]["root"]) == ("base", str(adapter))
    rows = make_rows(60, 11)
    assert right(server, "m-v2", rows) >= 54 > right(server, "base", rows) + 10
    response = server.post("/v1/unload_lora_adapter", json={"lora_name": "m-v2"})
    assert (response.status_code, response.text) == (200, "Success: LoRA adapter 'm-v2' removed successfully.")
    assert [card["id"] for card in server.get("/v1/models").json()["data"]] == ["base"]
    assert ask(server, model="m-v2").status_code == 404


def test_a_name_is_loaded_once_and_an_unknown_one_cannot_be_unloaded(loaded, adapter):
    for name in ("m-v2", "base"):
        status, message = refused(load(loaded, name, adapter))
        assert status == 400 and "has already been loaded" in message
    status, message = refused(loaded.post("/v1/unload_lora_adapter", json={"lora_name": "m-v9"}))
    assert status == 404 and message == "The lora adapter 'm-v9' cannot be found."
    assert load(loaded, "m-v3", f"artifact:adapters/{adapter.name}").status_code == 200
    loaded.post("/v1/unload_lora_adapter", json={"lora_name": "m-v3"})


def test_an_unknown_model_is_404_in_openai_s_shape(server):
    response = ask(server, model="nobody")
    assert response.status_code == 404
    assert response.json() == {
        "error": {
            "message": "The model `nobody` does not exist.",
            "type": "NotFoundError",
            "param": "model",
            "code": 404,
        }
    }


def test_an_answer_has_openai_s_fields_and_ignores_parameters_it_does_not_know(loaded):
    body = ask(loaded, model="m-v2", logit_bias={}, user="u", whatever=[1]).json()
    (choice,) = body["choices"]
    assert choice["message"]["role"] == "assistant" and choice["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert body["object"] == "chat.completion" and body["model"] == "m-v2" and body["id"].startswith("chatcmpl-")


def test_length_stop_n_seed_and_temperature_are_honoured(loaded):
    assert ask(loaded, model="m-v2", max_tokens=1).json()["choices"][0]["finish_reason"] in ("length", "stop")
    limited = ask(loaded, temperature=5, seed=1, max_tokens=3).json()
    assert limited["usage"]["completion_tokens"] <= 3
    whole = answer(loaded, "lost card wallet", "m-v2")
    assert answer(loaded, "lost card wallet", "m-v2", stop=whole[2:4]) == whole[:2]
    several = [c["message"]["content"] for c in ask(loaded, temperature=3, seed=5, n=4, max_tokens=6).json()["choices"]]
    assert len(set(several)) > 1
    again = [c["message"]["content"] for c in ask(loaded, temperature=3, seed=5, n=4, max_tokens=6).json()["choices"]]
    assert again == several
    assert len({answer(loaded, "pin code", "m-v2") for _ in range(3)}) == 1


def test_a_stream_carries_the_same_answer(loaded):
    text = ask(loaded, model="m-v2", stream=True).text
    pieces = [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: {")]
    assert text.endswith("data: [DONE]\n\n")
    assert "".join(p["choices"][0]["delta"].get("content", "") for p in pieces) == answer(loaded, "lost card", "m-v2")
    assert pieces[-1]["choices"][0]["finish_reason"] == "stop"


def test_requests_at_once_for_two_models_get_the_answers_they_get_alone(loaded):
    questions = [row["messages"][0]["content"] for row in make_rows(40, 12)]
    questions = [text if n % 3 else text + " please" * n for n, text in enumerate(questions)]
    asked = [(text, ("base", "m-v2")[n % 2]) for n, text in enumerate(questions)]
    alone = [answer(loaded, *one) for one in asked]
    engine = loaded.app.state.engine
    before = engine.batches
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(lambda one: answer(loaded, *one), asked))
    assert together == alone
    assert engine.batches - before < len(asked)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
        ({"messages": [{"role": "nobody", "content": "zanzibar"}]}, "messages"),
        ({"temperature": -1}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [{"role": "user", "content": "zanzibar " * 600}]}, "messages"),
    ],
)
def test_a_wrong_chat_request_is_refused_and_not_quoted(server, body, param):
    response = server.post(
        "/v1/chat/completions", json={"model": "base", "messages": [{"role": "user", "content": "x"}]} | body
    )
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, 400)
    assert error["param"].startswith(param)
    assert "zanzibar" not in response.text


def test_an_adapter_with_a_pickle_or_outside_the_root_is_refused(server, adapter, artifacts, tmp_path):
    bad = artifacts / "adapters" / "with-pickle"
    shutil.copytree(adapter, bad)
    (bad / "training_args.bin").write_bytes(b"\x80\x04.")
    outside = tmp_path / "adapter"
    shutil.copytree(adapter, outside)
    link = artifacts / "adapters" / "link"
    link.symlink_to(outside)
    try:
        for path, code in ((bad, "adapter_pickle"), (outside, "path_not_allowed"), (link, "path_not_allowed")):
            status, message = refused(load(server, "evil", path))
            assert status == 400 and message.startswith(code)
        assert refused(load(server, "evil", artifacts / "adapters" / "none"))[0] == 404
        assert refused(load(server, "evil", "adapters/x"))[0] == 400
    finally:
        shutil.rmtree(bad)
        link.unlink()
    assert [card["id"] for card in server.get("/v1/models").json()["data"]] == ["base"]


def test_an_adapter_of_another_base_a_wrong_rank_or_a_damaged_one_is_refused(server, adapter, artifacts):
    def altered(name, **changes):
        folder = artifacts / "adapters" / name
        shutil.copytree(adapter, folder)
        config = json.loads((folder / "adapter_config.json").read_text()) | changes
        (folder / "adapter_config.json").write_text(json.dumps(config))
        return folder

    folders = [altered("other-base", base_model_name_or_path="owner/other"), altered("other-rank", r=8)]
    damaged = artifacts / "adapters" / ("0" * 64)
    shutil.copytree(adapter, damaged)
    try:
        codes = [refused(load(server, "odd", folder))[1].split(":")[0] for folder in (*folders, damaged)]
        assert codes == ["adapter_base", "adapter_rank", "adapter_digest"]
    finally:
        for folder in (*folders, damaged):
            shutil.rmtree(folder)


def test_adapters_kept_apart_from_the_weights_answer_like_merged_ones(loaded, artifacts, adapter):
    texts = [row["messages"][0]["content"] for row in make_rows(12, 13)]
    with client_for(artifacts, merge_below=0) as shared:
        base = [answer(shared, text) for text in texts]
        assert base == [answer(loaded, text) for text in texts]
        assert load(shared, "a", adapter).status_code == load(shared, "b", adapter).status_code == 200
        expected = [answer(loaded, text, "m-v2") for text in texts]
        for name in ("a", "b"):
            assert [answer(shared, text, name) for text in texts] == expected
            assert [answer(shared, text) for text in texts] == base
            shared.post("/v1/unload_lora_adapter", json={"lora_name": name}).raise_for_status()
        assert [answer(shared, text) for text in texts] == base
        assert load(shared, "c", adapter).status_code == 200
        assert [answer(shared, text, "c") for text in texts] == expected


def test_the_number_of_adapters_is_limited(artifacts, adapter):
    with client_for(artifacts, max_loras=1) as server:
        assert load(server, "one", adapter).status_code == 200
        assert "unload one first" in refused(load(server, "two", adapter))[1]


def test_the_command_serves_and_ends_on_sigterm(artifacts, adapter):
    server = Server("serve", "--base", BASE_NAME, "--artifacts", artifacts)
    assert server.http.get("/health").status_code == 200
    assert server.http.get("/healthz").json() == {"status": "ok"}
    assert load(server.http, "m-v2", adapter).status_code == 200
    assert ask(server.http, "lost card wallet", "m-v2").json()["choices"][0]["message"]["content"]
    assert server.end(signal.SIGTERM) == 0
    assert all(json.loads(line)["event"] for line in server.lines)
    assert "wallet" not in "".join(server.lines)


def test_a_busy_port_and_an_unknown_base_are_told_at_once(artifacts):
    def run(*arguments):
        command = [sys.executable, "-m", "understudy_trainer", "serve", "--artifacts", str(artifacts), *arguments]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=20)

    unknown = run("--base", "absent")
    assert (unknown.returncode, unknown.stderr.split(":")[0]) == (2, "base_not_found")
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = run("--base", BASE_NAME, "--port", str(taken.getsockname()[1]))
    assert busy.returncode == 1 and "cannot listen on" in busy.stderr
