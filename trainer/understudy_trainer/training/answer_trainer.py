"""transformers' Trainer with the loss on answers only, and a callback that reports progress by the clock."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from .encode import IGNORED


class AnswerTrainer(Trainer):
    """Asks the model for the logits of the answers' columns alone; rows are padded on the left, answers end them."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.losses: list[torch.Tensor] = []
        base = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        accepted = inspect.signature(base.forward).parameters
        self._keeps = "logits_to_keep" in accepted
        self._positions = "position_ids" in accepted
        self.model_accepts_loss_kwargs = False

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        labels = inputs["labels"]
        # One column more than the longest answer: the first answer token is predicted at the prompt's last place.
        columns = int((labels != IGNORED).sum(-1).max()) + 1
        options: dict[str, object] = {"use_cache": False}
        if self._keeps:
            options["logits_to_keep"] = columns
        if self._positions:
            options["position_ids"] = inputs["position_ids"]
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], **options)
        logits = outputs.logits[:, -columns:-1].flatten(0, 1).float()
        loss = cross_entropy(logits, labels[:, -columns + 1 :].flatten(), ignore_index=IGNORED)
        return (loss, outputs) if return_outputs else loss

    def _get_train_sampler(self, train_dataset=None):
        # Rows of similar length share a batch; the library's own switch only knows rows with an `input_ids` key.
        generator = torch.Generator().manual_seed(self.args.seed)
        lengths = [len(example) for example in self.train_dataset]
        return LengthGroupedSampler(self.args.train_batch_size, lengths=lengths, generator=generator)

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.losses.append(loss.detach())
        return loss

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None):
        with torch.no_grad():
            loss = self.compute_loss(model, self._prepare_inputs(inputs))
        return loss.detach(), None, None


class Progress(TrainerCallback):
    """Reports the first step, the last, and whatever the clock asks for in between."""

    def __init__(self, report: Callable[..., None], every: float) -> None:
        self.report, self.every = report, every
        self.losses: list[torch.Tensor] = []
        self.reported_at, self.reported_step = 0.0, 0

    def on_step_end(self, args, state, control, **kwargs):
        now = time.monotonic()
        if state.global_step not in (1, state.max_steps) and now - self.reported_at < self.every:
            return
        recent = self.losses[self.reported_step :]
        loss = torch.stack(recent).mean().item() if recent else None
        self.reported_at, self.reported_step = now, len(self.losses)
        self.report(
            "progress",
            step=state.global_step,
            total_steps=state.max_steps,
            train_loss=None if loss is None else round(loss, 6),
        )
