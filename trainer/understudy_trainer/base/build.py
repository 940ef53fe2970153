"""``build-base``: a tiny base model from rows of messages, written atomically, built once per data and options."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import random
import shutil
import sys
import time
from pathlib import Path

from ..digest import files_digest
from ..errors import RefusedError
from ..rows import check_file, read_rows
from .options import BaseOptions

MANIFEST = "understudy_base.json"
_FORMAT = 1
_MAX_DATA = 256 << 20


def build_base(
    data: Path, out: Path, options: BaseOptions, *, threads: int = 1, max_seconds: float | None = None
) -> dict:
    """Build the base into ``out``, or find it there, and return its manifest.

    A folder already built from the same data and options is left alone; one built from others is replaced; any other
    non-empty folder is refused. Raises RefusedError.
    """
    with open(data, "rb") as stream:
        facts = check_file(stream, _MAX_DATA)
    asked = {"format": _FORMAT, "data_sha256": facts.sha256, "options": dataclasses.asdict(options)}
    cache_key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    with open(out.parent / f".{out.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once: the second waits and finds the first one's result
        if (manifest := _valid(out, cache_key)) is not None:
            _say("cached", out=str(out), digest=manifest["digest"])
            return manifest
        if out.exists() and not (out / MANIFEST).is_file() and any(out.iterdir()):
            raise RefusedError("not_a_base", f"{out} exists and was not made by build-base; choose another folder")
        for stale in out.parent.glob(f".{out.name}.making-*"):
            shutil.rmtree(stale)
        making = out.parent / f".{out.name}.making-{os.getpid()}"
        making.mkdir()
        try:
            manifest = {
                "cache_key": cache_key,
                **asked,
                **_make(read_rows(data), making, options, threads, max_seconds),
            }
            for path in making.iterdir():
                path.chmod(0o644)
            manifest["files"] = sorted(path.name for path in making.iterdir())
            manifest["digest"] = files_digest(making, manifest["files"])
            (making / MANIFEST).write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
            if out.exists():
                shutil.rmtree(out)
            os.rename(making, out)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    _say("built", out=str(out), digest=manifest["digest"], **manifest["training"])
    return manifest


def _make(rows: list[list[dict]], into: Path, options: BaseOptions, threads: int, max_seconds: float | None) -> dict:
    started = time.monotonic()
    _say("importing")
    import torch
    from transformers import set_seed

    from ..loading import quiet
    from .model import fit, new_model, train_tokenizer

    quiet()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    set_seed(options.seed)
    random.seed(options.seed)
    tokenizer = train_tokenizer(rows, options.vocab)
    model = new_model(tokenizer, options)
    parameters = model.num_parameters()
    _say("training", rows=len(rows), parameters=parameters, vocab=len(tokenizer))
    facts = fit(model, tokenizer, rows, options, _say, max_seconds)
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)
    return {"parameters": parameters, "training": facts | {"seconds_all": round(time.monotonic() - started, 1)}}


def _valid(folder: Path, cache_key: str) -> dict | None:
    """The manifest of a complete base with this key, its files checked against their digest."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if manifest["cache_key"] != cache_key:
            return None
        return manifest if files_digest(folder, manifest["files"]) == manifest["digest"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _say(event: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()
