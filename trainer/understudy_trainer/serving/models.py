"""The base model and its adapters: which weights answer for which name."""

from __future__ import annotations

import copy
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ..adapters import AdapterFacts, check_adapter
from ..errors import RefusedError
from ..loading import SMALL_MODEL, load_base, set_threads
from ..locations import Base, Locations

BASE = None
"""The adapter of requests for the base itself."""


@dataclass(eq=False)
class Adapter:
    """A loaded adapter. Small models keep a merged copy of the weights, which costs nothing when it answers."""

    name: str
    path: str
    facts: AdapterFacts
    created: int = field(default_factory=lambda: int(time.time()))
    merged: object | None = None
    slot: str | None = None


class Models:
    """Holds the weights. ``load_weights``, ``drop_weights`` and ``weights`` belong to the inference thread."""

    def __init__(
        self, locations: Locations, base: Base, aliases: list[str], *, threads: int, max_rank: int, merge_below: int
    ) -> None:
        self.locations, self.base, self._aliases, self._max_rank = locations, base, set(aliases), max_rank
        self.model, self.tokenizer = load_base(base.source)
        self.threads = set_threads(self.model, threads)
        self.model.eval().requires_grad_(False)
        self.merges = self.model.num_parameters() < merge_below
        self.shared = None  # one PeftModel around the base, for models too large to copy
        self._slots = 0
        self._widths = {
            name: (module.in_features, module.out_features)
            for name, module in self.model.named_modules()
            if hasattr(module, "in_features") and hasattr(module, "out_features")
        }

    def check(self, name: str, path: str) -> Adapter:
        """Everything that can be refused without touching the weights. Raises RefusedError."""
        folder = self.locations.adapter(path)
        facts = check_adapter(folder, self._max_rank)
        if not self._is_base(facts.base_model):
            raise RefusedError("adapter_base", "the adapter was trained on another base model")
        for module, widths in facts.shapes.items():
            if self._widths.get(module.removeprefix("base_model.model.")) != widths:
                raise RefusedError("adapter_base", "the adapter's weights do not fit the base model")
        return Adapter(name, str(folder), facts)

    def _is_base(self, base_id: str) -> bool:
        if base_id in self._aliases or base_id == self.base.id:
            return True
        try:
            return self.locations.base(base_id).source == self.base.source
        except RefusedError:
            return False

    def load_weights(self, adapter: Adapter) -> None:
        from peft import PeftModel

        folder = Path(adapter.path)
        if self.merges:
            own = PeftModel.from_pretrained(copy.deepcopy(self.model), folder, use_safetensors=True)
            adapter.merged = own.merge_and_unload(safe_merge=True).eval().requires_grad_(False)
            return
        self._slots += 1
        slot = f"adapter{self._slots}"  # never a name twice: nothing of an earlier adapter can be meant
        if self.shared is None:
            self.shared = PeftModel.from_pretrained(self.model, folder, adapter_name=slot, use_safetensors=True).eval()
        else:
            self.shared.load_adapter(folder, adapter_name=slot, use_safetensors=True)
        adapter.slot = slot

    def drop_weights(self, adapter: Adapter) -> None:
        adapter.merged = None
        if adapter.slot is None:
            return
        if len(self.shared.peft_config) > 1:
            self.shared.delete_adapter(adapter.slot)
        else:
            self.model, self.shared = self.shared.unload(), None
        adapter.slot = None

    @contextmanager
    def weights(self, adapter: Adapter | None):
        """The model that answers for an adapter, or for the base."""
        if adapter is not None and adapter.merged is not None:
            yield adapter.merged
            return
        if adapter is not None:
            self.shared.set_adapter(adapter.slot)
        around: AbstractContextManager = (
            self.shared.disable_adapter() if adapter is None and self.shared else nullcontext()
        )
        with around:
            yield self.shared.get_base_model() if self.shared else self.model


def default_merge_below() -> int:
    return SMALL_MODEL * 3
