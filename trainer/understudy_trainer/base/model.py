"""A tiny Llama and its tokenizer, made from rows of messages alone."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator

from ..training.encode import IGNORED, Collator, Example, encode_row
from .options import BaseOptions
from .template import CHAT_TEMPLATE, END, PAD, SPECIAL_TOKENS


def train_tokenizer(rows: list[list[dict]], vocab: int):
    """A byte-level BPE tokenizer of at most ``vocab`` tokens. Identifiers such as ``card_arrival`` stay whole words."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?[\p{L}\p{N}_]+| ?[^\s\p{L}\p{N}_]+|\s+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((message["content"] for row in rows for message in row), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def new_model(tokenizer, options: BaseOptions):
    """An untrained Llama of the given shape."""
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=options.hidden,
        intermediate_size=options.hidden * 2,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.heads,
        max_position_embeddings=options.max_length,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        # The usual 0.02 is for wide models; at this width it costs a model of this size half of its training.
        initializer_range=0.7 / math.sqrt(options.hidden),
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    return model


def _cosine(step: int, warmup: int, total: int) -> float:
    rise = min(1.0, (step + 1) / warmup)
    return rise * 0.5 * (1 + math.cos(math.pi * max(0, step - warmup) / (total - warmup + 1)))


def batches(examples: list[Example], size: int, shuffle: random.Random) -> Iterator[list[Example]]:
    """One epoch in random order; rows of similar length share a batch, which saves a third of the padding."""
    order = shuffle.sample(examples, len(examples))
    pool = size * 16
    cut: list[list[Example]] = []
    for start in range(0, len(order), pool):
        part = sorted(order[start : start + pool], key=len)
        cut += [part[at : at + size] for at in range(0, len(part), size)]
    shuffle.shuffle(cut)
    return iter(cut)


def fit(model, tokenizer, rows, options: BaseOptions, report: Callable[..., None], max_seconds: float | None = None):
    """Train all weights on the rows and tell what happened. A run cut short by ``max_seconds`` is not reproducible."""
    import torch
    from torch.nn.functional import cross_entropy, dropout

    examples = [encode_row(tokenizer, row) for row in rows]
    kept = [example for example in examples if len(example) <= options.max_length]
    collate = Collator(tokenizer.pad_token_id)
    shuffle = random.Random(options.seed)
    total = options.epochs * math.ceil(len(kept) / options.batch)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=options.learning_rate, weight_decay=0.1, betas=(0.9, 0.98), fused=True
    )
    warmup = max(1, total // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _cosine(step, warmup, total))
    started = reported = time.monotonic()
    step, stopped_early, first, last = 0, False, None, None
    model.train()
    for _ in range(options.epochs):
        for batch in batches(kept, options.batch, shuffle):
            data = collate(batch)
            labels = data.pop("labels")
            ids = data.pop("input_ids")
            embedded = dropout(model.get_input_embeddings()(ids), options.dropout)
            logits = model(inputs_embeds=embedded, **data, use_cache=False).logits[:, :-1]
            answer = labels[:, 1:]
            loss = cross_entropy(logits.flatten(0, 1), answer.flatten(), ignore_index=IGNORED)
            if options.prompt_weight:
                question = ids[:, 1:].masked_fill((answer != IGNORED) | (data["attention_mask"][:, :-1] == 0), IGNORED)
                loss = loss + options.prompt_weight * cross_entropy(
                    logits.flatten(0, 1), question.flatten(), ignore_index=IGNORED
                )
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            step += 1
            now = time.monotonic()
            if step in (1, total) or now - reported >= 2:
                reported, last = now, round(loss.item(), 4)
                first = last if first is None else first
                report("progress", step=step, total_steps=total, loss=last, seconds=round(now - started, 1))
            if max_seconds is not None and now - started > max_seconds and step < total:
                stopped_early = True
                break
        if stopped_early:
            break
    model.eval()
    return {
        "steps": step,
        "stopped_early": stopped_early,
        "rows": len(kept),
        "rows_too_long": len(examples) - len(kept),
        "first_loss": first,
        "last_loss": last,
        "seconds": round(time.monotonic() - started, 1),
    }
