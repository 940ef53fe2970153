"""One LoRA fine-tune with peft on transformers' own Trainer: seeded, answer-only loss, an adapter in two files."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..adapters import CONFIG_NAME, WEIGHTS_NAME
from ..errors import RefusedError
from ..loading import load_base, set_threads
from .encode import Collator, Example, encode_row

REPORT_EVERY = 2.0
"""Seconds between two progress reports."""


@dataclass(frozen=True)
class LoraSpec:
    """What to train. ``learning_rate`` is absolute; ``base_model`` is the id written into the adapter."""

    base_model: str
    rank: int
    alpha: float
    dropout: float
    epochs: int
    batch_size: int
    learning_rate: float | None
    learning_rate_multiplier: float
    seed: int
    max_length: int
    threads: int


def default_learning_rate(hidden_size: int) -> float:
    """2e-4 for a hidden size of 2,048 and above; narrower models take and need proportionally larger steps."""
    return 2e-4 * max(1.0, 2048 / hidden_size)


def prepare_torch(spec: LoraSpec) -> None:
    """Seeds and settings under which one machine gives the same weights twice. Call before anything is loaded."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch
    from transformers import set_seed

    torch.use_deterministic_algorithms(True, warn_only=True)
    set_seed(spec.seed)


def train_lora(
    spec: LoraSpec,
    location: str,
    rows: list[list[dict]],
    validation: list[list[dict]],
    into: Path,
    report: Callable[..., None],
) -> dict[str, object]:
    """Train, write the two adapter files into ``into`` and return the metrics.

    ``report(kind, **facts)`` hears ``progress`` with step, total_steps and train_loss (mean since the last report)
    about every two seconds.
    """
    started = time.monotonic()
    prepare_torch(spec)
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import PrinterCallback, TrainingArguments

    from .answer_trainer import AnswerTrainer, Progress

    model, tokenizer = load_base(location)
    set_threads(model, spec.threads)
    limit = min(spec.max_length, getattr(model.config, "max_position_embeddings", None) or spec.max_length)
    examples, too_long = _encode(tokenizer, rows, limit)
    held_out, _ = _encode(tokenizer, validation, limit)
    if not examples:
        raise RefusedError("no_rows", f"no training row fits into {limit} tokens")
    if too_long:
        report("message", level="warn", message=f"{too_long} rows longer than {limit} tokens were left out")

    model.config.use_cache = False
    config = LoraConfig(
        r=spec.rank,
        lora_alpha=spec.alpha,
        lora_dropout=spec.dropout,
        target_modules="all-linear",
        task_type=TaskType.CAUSAL_LM,
        base_model_name_or_path=spec.base_model,
    )
    model = get_peft_model(model, config)
    rate = spec.learning_rate or default_learning_rate(model.config.hidden_size)
    progress = Progress(report, REPORT_EVERY)
    with tempfile.TemporaryDirectory(prefix="understudy-run-") as scratch:
        trainer = AnswerTrainer(
            model=model,
            args=TrainingArguments(
                output_dir=scratch,
                num_train_epochs=spec.epochs,
                per_device_train_batch_size=spec.batch_size,
                per_device_eval_batch_size=spec.batch_size,
                learning_rate=rate * spec.learning_rate_multiplier,
                lr_scheduler_type="cosine",
                warmup_steps=0.05,
                seed=spec.seed,
                data_seed=spec.seed,
                bf16=next(model.parameters()).is_cuda,
                remove_unused_columns=False,
                logging_strategy="no",
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            ),
            data_collator=Collator(tokenizer.pad_token_id),
            train_dataset=examples,
            eval_dataset=held_out or None,
            callbacks=[progress],
        )
        trainer.remove_callback(PrinterCallback)
        progress.losses = trainer.losses
        trainer.train()
        validation_loss = trainer.evaluate()["eval_loss"] if held_out else None
    save_adapter(model, spec.base_model, into)
    losses = [loss.item() for loss in trainer.losses]
    window = max(1, min(10, len(losses) // 4))
    return {
        "steps": len(losses),
        "first_loss": round(sum(losses[:window]) / window, 6),
        "last_loss": round(sum(losses[-window:]) / window, 6),
        "validation_loss": None if validation_loss is None else round(validation_loss, 6),
        "seconds": round(time.monotonic() - started, 3),
        "rows": len(examples),
        "rows_too_long": too_long,
        "validation_rows": len(held_out),
        "trained_tokens": spec.epochs * sum(map(len, examples)),
        "learning_rate": rate * spec.learning_rate_multiplier,
    }


def _encode(tokenizer, rows: list[list[dict]], limit: int) -> tuple[list[Example], int]:
    examples = [encode_row(tokenizer, messages) for messages in rows]
    kept = [example for example in examples if len(example) <= limit]
    return kept, len(examples) - len(kept)


def save_adapter(model, base_model: str, into: Path) -> None:
    """Write exactly ``adapter_config.json`` and ``adapter_model.safetensors``.

    Not ``save_pretrained``: it adds a model card and writes sets in hash order, so that equal adapters would have
    different digests.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    config = model.peft_config["default"].to_dict()
    config = {key: _plain(value) for key, value in config.items()}
    config.update(base_model_name_or_path=base_model, inference_mode=True)
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(weights.items())}
    save_file(weights, into / WEIGHTS_NAME, metadata={"format": "pt"})
    (into / CONFIG_NAME).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    for name in (CONFIG_NAME, WEIGHTS_NAME):
        (into / name).chmod(0o644)  # the server that loads it may run as somebody else


def _plain(value):
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value.value if hasattr(value, "value") else value
