"""One batch of answers: a prefill of left-padded prompts, then a token a step until every answer has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from transformers import DynamicCache


@dataclass(eq=False)
class Sequence:
    """One answer to be made. ``wanted()`` turns false when nobody waits for it any more."""

    prompt: list[int]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stops: tuple[str, ...] = ()
    wanted: Callable[[], bool] = lambda: True
    made: list[int] = field(default_factory=list)
    text: str = ""
    finish_reason: str | None = None
    generator: torch.Generator | None = None


class Decoder:
    """Generates on one model family: the tokenizer, the end tokens and the padding are the same for all adapters."""

    def __init__(self, tokenizer, end_ids: set[int], pad_id: int) -> None:
        self._tokenizer, self._end_ids, self._pad_id = tokenizer, end_ids, pad_id

    @torch.inference_mode()
    def run(self, model, sequences: list[Sequence], finished: Callable[[Sequence], None]) -> None:
        """Fill every sequence; ``finished`` hears of each as soon as it has ended, not when the batch has."""
        device = model.device
        width = max(len(sequence.prompt) for sequence in sequences)
        ids = torch.tensor([[self._pad_id] * (width - len(s.prompt)) + s.prompt for s in sequences])
        mask = torch.tensor([[0] * (width - len(s.prompt)) + [1] * len(s.prompt) for s in sequences])
        positions = (mask.cumsum(-1) - 1).clamp_(min=0)
        ids, mask, positions = ids.to(device), mask.to(device), positions.to(device)
        cache = DynamicCache(config=model.config)
        live = list(sequences)
        while True:
            logits = model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            chosen = self._choose(logits, live)
            going = []
            for row, (sequence, token) in enumerate(zip(live, chosen, strict=True)):
                if self._advance(sequence, token):
                    going.append(row)
                else:
                    finished(sequence)
            if not going:
                return
            if len(going) < len(live):  # rows that have ended cost nothing further
                keep = torch.tensor(going, device=device)
                cache.batch_select_indices(keep)
                mask, positions = mask[keep], positions[keep]
                live = [live[row] for row in going]
                chosen = [chosen[row] for row in going]
            ids = torch.tensor(chosen, device=device).unsqueeze(1)
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
            positions = positions[:, -1:] + 1

    def _choose(self, logits: torch.Tensor, live: list[Sequence]) -> list[int]:
        chosen = logits.argmax(-1).tolist()
        for row, sequence in enumerate(live):
            if sequence.temperature > 0:
                chosen[row] = _sample(logits[row], sequence)
        return chosen

    def _advance(self, sequence: Sequence, token: int) -> bool:
        """Take one token; False when the answer has ended, with its text and reason set."""
        if token in self._end_ids:
            return self._end(sequence, "stop")
        sequence.made.append(token)
        if sequence.stops:
            text = self._tokenizer.decode(sequence.made, skip_special_tokens=True)
            cuts = [at for word in sequence.stops if (at := text.find(word)) >= 0]
            if cuts:
                sequence.text, sequence.finish_reason = text[: min(cuts)], "stop"
                return False
        if len(sequence.made) >= sequence.max_tokens or not sequence.wanted():
            return self._end(sequence, "length")
        return True

    def _end(self, sequence: Sequence, reason: str) -> bool:
        sequence.text = self._tokenizer.decode(sequence.made, skip_special_tokens=True)
        sequence.finish_reason = reason
        return False


def _sample(logits: torch.Tensor, sequence: Sequence) -> int:
    if sequence.generator is None:
        sequence.generator = torch.Generator()
        sequence.generator.manual_seed(
            sequence.seed % 2**63
        ) if sequence.seed is not None else sequence.generator.seed()
    chances = torch.softmax(logits.float().cpu() / sequence.temperature, dim=-1)
    if sequence.top_p < 1:
        ordered, order = chances.sort(descending=True)
        ordered[ordered.cumsum(-1) - ordered >= sequence.top_p] = 0
        chances = torch.zeros_like(chances).scatter_(0, order, ordered)
    return int(torch.multinomial(chances, 1, generator=sequence.generator))
