import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import save_file

from understudy_trainer.adapters import FILES, check_adapter, store_adapter
from understudy_trainer.digest import files_digest
from understudy_trainer.errors import RefusedError

MODULE = "base_model.model.model.layers.0.self_attn.q_proj"


def make(folder, rank=4, config=None, tensors=None):
    folder.mkdir(parents=True)
    weights = {f"{MODULE}.lora_A.weight": torch.ones(4, 32), f"{MODULE}.lora_B.weight": torch.ones(32, 4)}
    save_file(weights if tensors is None else tensors, folder / "adapter_model.safetensors")
    facts = {"peft_type": "LORA", "r": rank, "base_model_name_or_path": "tiny", "bias": "none", "modules_to_save": None}
    (folder / "adapter_config.json").write_text(json.dumps(facts | (config or {})))
    return folder


def refusal(folder) -> str:
    with pytest.raises(RefusedError) as refused:
        check_adapter(folder)
    return refused.value.code


def test_a_good_adapter_tells_its_rank_base_digest_and_shapes(tmp_path):
    folder = make(tmp_path / "good")
    facts = check_adapter(folder)
    assert (facts.rank, facts.base_model, facts.shapes) == (4, "tiny", {MODULE: (32, 32)})
    assert facts.digest == files_digest(folder, FILES)


@pytest.mark.parametrize("name", ["training_args.bin", "adapter_model.bin", "optimizer.pt", "x.PKL"])
def test_an_adapter_with_a_pickle_is_refused_and_the_pickle_never_opened(tmp_path, name):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    folder = make(tmp_path / "bad")
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    assert refusal(folder) == "adapter_pickle"
    assert not (tmp_path / "exploded").exists()


def test_a_pickle_under_the_name_of_the_weights_is_refused(tmp_path):
    folder = make(tmp_path / "bad")
    torch.save({"w": torch.ones(2)}, folder / "adapter_model.safetensors")
    assert refusal(folder) == "adapter_weights"


def test_missing_further_or_linked_files_are_refused(tmp_path):
    more = make(tmp_path / "more")
    (more / "README.md").write_text("hello")
    assert refusal(more) == "adapter_files"
    less = make(tmp_path / "less")
    (less / "adapter_config.json").unlink()
    assert refusal(less) == "adapter_files"
    (less / "adapter_config.json").symlink_to(more / "adapter_config.json")
    assert refusal(less) == "adapter_files"


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"r": 8}, "adapter_rank"),
        ({"r": 0}, "adapter_config"),
        ({"r": "4"}, "adapter_config"),
        ({"peft_type": "LOHA"}, "adapter_config"),
        ({"base_model_name_or_path": None}, "adapter_config"),
        ({"modules_to_save": ["lm_head"]}, "adapter_config"),
        ({"bias": "all"}, "adapter_config"),
        ({"use_dora": True}, "adapter_config"),
    ],
)
def test_a_configuration_that_lies_or_asks_for_more_than_lora_is_refused(tmp_path, config, code):
    assert refusal(make(tmp_path / "bad", config=config)) == code


def test_tensors_that_are_no_complete_lora_pairs_are_refused(tmp_path):
    assert refusal(make(tmp_path / "a", tensors={"model.embed.weight": torch.ones(2, 2)})) == "adapter_weights"
    assert refusal(make(tmp_path / "b", tensors={f"{MODULE}.lora_A.weight": torch.ones(4, 32)})) == "adapter_weights"
    assert refusal(make(tmp_path / "c", tensors={})) == "adapter_weights"


def test_a_folder_named_by_a_digest_must_have_that_content(tmp_path):
    uri, facts = store_adapter(make(tmp_path / "adapters" / ".making"), tmp_path)
    home = tmp_path / "adapters" / facts.digest
    assert uri == f"artifact:adapters/{facts.digest}"
    assert check_adapter(home).digest == facts.digest
    (home / "adapter_config.json").write_text((home / "adapter_config.json").read_text() + " ")
    assert refusal(home) == "adapter_digest"


def test_storing_the_same_adapter_twice_keeps_one_and_mends_a_damaged_one(tmp_path):
    for _ in range(2):
        uri, facts = store_adapter(make(tmp_path / "adapters" / ".making"), tmp_path)
    home = tmp_path / "adapters" / facts.digest
    (home / "adapter_model.safetensors").write_bytes(b"damaged")
    store_adapter(make(tmp_path / "adapters" / ".making"), tmp_path)
    assert check_adapter(home).digest == facts.digest
    assert [path.name for path in (tmp_path / "adapters").iterdir()] == [facts.digest]
    shutil.rmtree(home)
