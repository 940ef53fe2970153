"""One thread that answers: it takes what waits for the same adapter, up to a batch, and generates it together."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from ..log import describe, log
from .generate import Decoder, Sequence
from .models import Adapter, Models

MAX_BATCH_TOKENS = 16384
"""Prompt tokens in one batch, padding included."""

PADDING_PER_BATCH = 192
"""Padding tokens that cost a small model about as much as running one more batch."""


@dataclass(eq=False)
class _Waiting:
    adapter: Adapter | None
    sequence: Sequence
    done: Callable[[Sequence, BaseException | None], None]


class Engine:
    """``submit`` from any thread; ``call`` runs a function between two batches, where weights may change."""

    def __init__(
        self, models: Models, decoder: Decoder, *, max_batch: int, window: float, max_waiting: int = 8192
    ) -> None:
        self._models, self._decoder = models, decoder
        self._max_batch, self._window, self._max_waiting = max_batch, window, max_waiting
        self._waiting: deque[_Waiting] = deque()
        self._calls: deque[tuple[Callable, Future]] = deque()
        self._change = threading.Condition()
        self._stopping = False
        self.batches = self.answers = 0
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._change:
            self._stopping = True
            self._change.notify()
        self._thread.join(5)

    def submit(self, adapter: Adapter | None, sequence: Sequence, done: Callable) -> bool:
        """Queue one answer; the inference thread calls ``done(sequence, error)``. False when the queue is full."""
        with self._change:
            if len(self._waiting) >= self._max_waiting or self._stopping:
                return False
            self._waiting.append(_Waiting(adapter, sequence, done))
            self._change.notify()
        return True

    def call(self, function: Callable) -> Future:
        """Run ``function`` in the inference thread once no batch is under way."""
        future: Future = Future()
        with self._change:
            self._calls.append((function, future))
            self._change.notify()
        return future

    def drop(self, adapter: Adapter) -> Future:
        """Free an adapter's weights after the last answer that waits for them."""

        def attempt() -> bool:
            with self._change:
                if any(item.adapter is adapter for item in self._waiting):
                    return False
            self._models.drop_weights(adapter)
            return True

        return self.call(attempt)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._calls or self._stopping)
                if self._stopping:
                    return
                calls = list(self._calls)
                self._calls.clear()
            for function, future in calls:
                self._answer_call(function, future)
            if self._waiting:
                self._batch()

    def _answer_call(self, function: Callable, future: Future) -> None:
        try:
            result = function()
        except BaseException as error:
            future.set_exception(error)
            return
        if result is False:  # not yet: there are answers to give first
            with self._change:
                self._calls.append((function, future))
            self._batch()
        else:
            future.set_result(result)

    def _batch(self) -> None:
        if self._window and len(self._waiting) < self._max_batch:
            time.sleep(self._window)
        taken = self._take()
        if not taken:
            return
        self.batches += 1
        self.answers += len(taken)
        callers = {id(item.sequence): item.done for item in taken}
        try:
            with self._models.weights(taken[0].adapter) as model:
                for group in self._groups([item.sequence for item in taken]):
                    self._decoder.run(model, group, lambda sequence: callers.pop(id(sequence))(sequence, None))
        except Exception as error:
            log("batch_failed", level="error", size=len(taken), **describe(error))
            for item in taken:
                if callers.pop(id(item.sequence), None):
                    item.done(item.sequence, error)

    def _groups(self, sequences: list[Sequence]) -> list[list[Sequence]]:
        """Prompts of similar length together. A large model is bound by its steps instead, and takes all at once."""
        if not self._models.merges:
            return [sequences]
        groups: list[list[Sequence]] = []
        padding = 0
        for sequence in sorted(sequences, key=lambda one: -len(one.prompt)):
            short = len(groups[-1][0].prompt) - len(sequence.prompt) if groups else PADDING_PER_BATCH + 1
            if padding + short > PADDING_PER_BATCH:
                groups.append([])
                padding = short = 0
            groups[-1].append(sequence)
            padding += short
        return groups

    def _take(self) -> list[_Waiting]:
        """The oldest request and those behind it for the same adapter, while the batch stays in its limits."""
        with self._change:
            adapter, taken, rest, width = None, [], deque(), 0
            for item in self._waiting:
                if not item.sequence.wanted():
                    continue
                wider = max(width, len(item.sequence.prompt))
                if not taken:
                    adapter = item.adapter
                elif (
                    item.adapter is not adapter
                    or len(taken) >= self._max_batch
                    or wider * (len(taken) + 1) > MAX_BATCH_TOKENS
                ):
                    rest.append(item)
                    continue
                taken.append(item)
                width = wider
            self._waiting = rest
        return taken
