"""Rows of messages as token ids in which only the assistant's last answer is learned."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import RefusedError

IGNORED = -100


@dataclass(frozen=True)
class Example:
    """One row: the prompt exactly as the server will send it, then the answer up to its end token."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def encode_row(tokenizer, messages: list[dict]) -> Example:
    """Tokenise one row. The last message is the answer; everything before it is masked.

    Prompt and answer are tokenised apart: at serving time the prompt is tokenised alone, so a token that
    spanned the border would be learned and never seen again.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise RefusedError("no_chat_template", "the base model's tokenizer has no chat template")
    prompt_text = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, tokenize=False)
    full_text = tokenizer.apply_chat_template(messages, tokenize=False)
    # Some templates write an assistant's turn differently once it is complete; then the content itself is the answer.
    answer_text = full_text[len(prompt_text) :] if full_text.startswith(prompt_text) else messages[-1]["content"]
    prompt = tokenizer(prompt_text, add_special_tokens=False)["input_ids"]
    answer = tokenizer(answer_text, add_special_tokens=False)["input_ids"]
    end = tokenizer.eos_token_id
    if end is not None:
        answer = answer[: answer.index(end) + 1] if end in answer else [*answer, end]
    return Example(prompt, answer)


class Collator:
    """Pads a batch to its longest row, on the left.

    On the left, so that every answer ends in the last column and logits are only needed for the few columns that
    hold answers: the rest of the vocabulary projection, the widest product of a small model, is never computed.
    """

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, examples: list[Example]) -> dict:
        import torch

        width = max(len(example) for example in examples)
        ids = torch.full((len(examples), width), self.pad_id, dtype=torch.long)
        labels = torch.full((len(examples), width), IGNORED, dtype=torch.long)
        mask = torch.zeros((len(examples), width), dtype=torch.long)
        for row, example in enumerate(examples):
            start = width - len(example)
            ids[row, start:] = torch.tensor(example.prompt + example.answer)
            mask[row, start:] = 1
            labels[row, width - len(example.answer) :] = torch.tensor(example.answer)
        positions = (mask.cumsum(-1) - 1).clamp_(min=0)
        return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "labels": labels}
