"""Loading a base model, for training and for serving alike."""

from __future__ import annotations

import os
import warnings

SMALL_MODEL = 20_000_000
"""Parameters below which one thread is the best choice."""


def quiet() -> None:
    """No progress bars and no warnings of libraries between our log lines."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.simplefilter("ignore")


def load_base(location: str):
    """The base model and its tokenizer, from safetensors only and without code from the model's own repository."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet()
    gpu = torch.cuda.is_available()
    tokenizer = AutoTokenizer.from_pretrained(location, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(
        location, trust_remote_code=False, use_safetensors=True, dtype=torch.bfloat16 if gpu else torch.float32
    )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.to("cuda") if gpu else model, tokenizer


def set_threads(model, wanted: int) -> int:
    """Let torch use ``wanted`` threads; 0 chooses: one for a small model, which loses more by waiting for a second
    thread on shared cores than it gains, else one per core. The number can be part of the result."""
    import torch

    count = wanted or (1 if model.num_parameters() < SMALL_MODEL else _cores())
    torch.set_num_threads(count)
    return count


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
