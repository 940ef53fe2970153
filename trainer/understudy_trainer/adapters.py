"""Adapters on disk: two files, checked before anything is loaded, stored by the digest of their content."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from .digest import files_digest
from .errors import RefusedError

CONFIG_NAME = "adapter_config.json"
WEIGHTS_NAME = "adapter_model.safetensors"
FILES = (CONFIG_NAME, WEIGHTS_NAME)
_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}
_TENSOR = re.compile(r"(.+)\.lora_([AB])\.weight")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_CONFIG = _MAX_HEADER = 16 << 20


@dataclass(frozen=True)
class AdapterFacts:
    """What the two files say. ``shapes`` holds (input width, output width) for each adapted module."""

    digest: str
    base_model: str
    rank: int
    shapes: dict[str, tuple[int, int]]


def check_adapter(folder: Path, max_rank: int = 512) -> AdapterFacts:
    """Read an adapter without running anything in it. Raises RefusedError with a code starting ``adapter_``.

    Refused: any further file (pickles above all), links, modules saved in full, ranks that differ from the
    configuration, and content that does not match a folder named by its digest.
    """
    _check_files(folder)
    config = _read_config(folder / CONFIG_NAME)
    rank = config["r"]
    if rank > max_rank:
        raise RefusedError("adapter_rank", f"rank {rank} is above the limit of {max_rank}")
    patterns = config.get("rank_pattern") or {}
    shapes = _read_shapes(folder / WEIGHTS_NAME, None if patterns else rank, max_rank)
    digest = files_digest(folder, FILES)
    if _DIGEST.fullmatch(folder.name) and folder.name != digest:
        raise RefusedError("adapter_digest", "the files do not match the digest that names their folder")
    return AdapterFacts(digest, config["base_model_name_or_path"], rank, shapes)


def _check_files(folder: Path) -> None:
    names = sorted(os.listdir(folder))
    pickles = [name for name in names if Path(name).suffix.lower() in _PICKLES]
    if pickles:
        raise RefusedError("adapter_pickle", f"adapters with pickled files are refused: {', '.join(pickles[:5])}")
    if tuple(names) != FILES:
        found = ", ".join(names[:5]) or "nothing"
        raise RefusedError("adapter_files", f"an adapter holds exactly {CONFIG_NAME} and {WEIGHTS_NAME}; found {found}")
    for name in FILES:
        if not stat.S_ISREG(os.lstat(folder / name).st_mode):
            raise RefusedError("adapter_files", f"{name} must be a regular file")


def _read_config(path: Path) -> dict:
    if path.stat().st_size > _MAX_CONFIG:
        raise RefusedError("adapter_config", f"{CONFIG_NAME} is too large")
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RefusedError("adapter_config", f"{CONFIG_NAME} is not valid JSON") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise RefusedError("adapter_config", f"{CONFIG_NAME} does not describe a LoRA adapter")
    if type(config.get("r")) is not int or config["r"] < 1:
        raise RefusedError("adapter_config", f"{CONFIG_NAME} has no valid rank r")
    if not isinstance(config.get("base_model_name_or_path"), str) or not config["base_model_name_or_path"]:
        raise RefusedError("adapter_config", f"{CONFIG_NAME} does not name its base model")
    for key in ("modules_to_save", "trainable_token_indices", "use_dora", "lora_bias", "layer_replication"):
        if config.get(key):
            raise RefusedError("adapter_config", f"adapters with {key} are refused")
    if config.get("bias", "none") != "none":
        raise RefusedError("adapter_config", "adapters that train biases are refused")
    return config


def _read_shapes(path: Path, rank: int | None, max_rank: int) -> dict[str, tuple[int, int]]:
    """Check every tensor's name and shape against the rank, from the header alone."""
    wrong = RefusedError("adapter_weights", f"{WEIGHTS_NAME} is not a valid safetensors file")
    with open(path, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(_MAX_HEADER, path.stat().st_size - 8):
            raise wrong
        try:
            header = json.loads(stream.read(length))
            tensors = {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
        except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
            raise wrong from error
    halves: dict[str, dict[str, tuple[int, int]]] = {}
    for name, shape in tensors.items():
        match = _TENSOR.fullmatch(name)
        if not match:
            raise RefusedError("adapter_weights", f"unexpected tensor in {WEIGHTS_NAME}: only LoRA pairs are allowed")
        if not isinstance(shape, list) or len(shape) != 2 or not all(type(n) is int and n > 0 for n in shape):
            raise wrong
        halves.setdefault(match[1], {})[match[2]] = (shape[0], shape[1])
    if not halves:
        raise RefusedError("adapter_weights", f"{WEIGHTS_NAME} holds no LoRA weights")
    shapes = {}
    for module, pair in halves.items():
        if set(pair) != {"A", "B"}:
            raise RefusedError("adapter_weights", "a LoRA pair is incomplete")
        (inner, width_in), (width_out, inner_b) = pair["A"], pair["B"]
        if inner != inner_b or inner > max_rank or (rank is not None and inner != rank):
            raise RefusedError("adapter_rank", f"the weights' rank differs from r in {CONFIG_NAME}")
        shapes[module] = (width_in, width_out)
    return shapes


def store_adapter(made: Path, artifacts: Path) -> tuple[str, AdapterFacts]:
    """Move a finished adapter to ``<artifacts>/adapters/<digest>/`` and return its URI and facts.

    ``made`` must lie on the same file system, so that the rename is atomic: a folder of that name is always complete.
    """
    facts = check_adapter(made)
    home = artifacts / "adapters"
    target = home / facts.digest
    for name in FILES:
        _sync(made / name)
    if target.is_dir() and files_digest(target, FILES) != facts.digest:
        shutil.rmtree(target)
    try:
        os.rename(made, target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(made)  # the same content is there already
    _sync(home)
    return f"artifact:adapters/{facts.digest}", facts


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
