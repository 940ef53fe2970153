"""The shape and the training of a tiny base."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BaseOptions:
    """Everything that shapes a base; equal options, seed and data give the same weights on one machine.

    ``prompt_weight`` is what predicting the question counts beside the answer: without it the tiny model learns the
    labels of its few rows by heart and little about their words.
    """

    seed: int = 1
    hidden: int = 128
    layers: int = 3
    heads: int = 4
    vocab: int = 2000
    epochs: int = 4
    batch: int = 16
    learning_rate: float = 2e-3
    prompt_weight: float = 0.3
    dropout: float = 0.1
    max_length: int = 512
