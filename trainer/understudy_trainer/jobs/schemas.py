"""What a client may send to the fine-tuning API. Unknown fields are refused, as OpenAI does."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from ..errors import ApiError

Auto = Literal["auto"]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]
FileId = Annotated[str, StringConstraints(pattern=r"^file-[0-9a-f]{24}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Hyperparameters(_Strict):
    n_epochs: Annotated[int, Field(strict=True, ge=1, le=100)] | Auto = "auto"
    batch_size: Annotated[int, Field(strict=True, ge=1, le=1024)] | Auto = "auto"
    learning_rate_multiplier: Annotated[float, Field(gt=0, le=1000)] | Auto = "auto"


class Supervised(_Strict):
    hyperparameters: Hyperparameters = Hyperparameters()


class Method(_Strict):
    type: Literal["supervised"] = "supervised"
    supervised: Supervised = Supervised()


class Lora(_Strict):
    """``alpha`` defaults to twice the rank, ``learning_rate`` to a value that suits the base's width."""

    rank: Annotated[int, Field(strict=True, ge=1, le=512)] = 16
    alpha: Annotated[float, Field(gt=0, le=4096)] | None = None
    dropout: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None


class Understudy(_Strict):
    key: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,300}$")] | None = None
    base_model: Name | None = None
    lora: Lora = Lora()
    seed: Seed | None = None
    max_length: Annotated[int, Field(strict=True, ge=8, le=131072)] | None = None


class CreateJob(_Strict):
    model: Name
    training_file: FileId
    validation_file: FileId | None = None
    seed: Seed | None = None
    suffix: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")] | None = None
    metadata: dict[str, str] | None = None
    method: Method | None = None
    hyperparameters: Hyperparameters | None = None
    integrations: list | None = None
    understudy: Understudy = Understudy()

    @model_validator(mode="after")
    def _consistent(self) -> CreateJob:
        if self.integrations:
            raise ValueError("integrations are not supported")
        if self.method and self.hyperparameters and self.method.supervised.hyperparameters != self.hyperparameters:
            raise ValueError("give hyperparameters in method.supervised, or at the top level, not both")
        metadata = self.metadata or {}
        if len(metadata) > 16 or any(len(k) > 64 or len(v) > 512 for k, v in metadata.items()):
            raise ValueError("metadata takes 16 pairs, keys up to 64 and values up to 512 characters")
        named = metadata.get("understudy_key")
        if named is not None and self.understudy.key is not None and named != self.understudy.key:
            raise ValueError("metadata.understudy_key differs from understudy.key")
        if None not in (self.seed, self.understudy.seed) and self.seed != self.understudy.seed:
            raise ValueError("seed differs from understudy.seed")
        return self

    @property
    def key(self) -> str | None:
        return self.understudy.key or (self.metadata or {}).get("understudy_key")

    @property
    def base_model(self) -> str:
        return self.understudy.base_model or self.model

    @property
    def wanted_seed(self) -> int | None:
        return self.seed if self.understudy.seed is None else self.understudy.seed

    @property
    def wanted_hyperparameters(self) -> Hyperparameters:
        return self.method.supervised.hyperparameters if self.method else self.hyperparameters or Hyperparameters()

    def fingerprint(self) -> str:
        """Two requests with one key must ask for the same training; files are compared by content, elsewhere."""
        asked = {
            "base": self.base_model,
            "hyperparameters": self.wanted_hyperparameters.model_dump(),
            "lora": self.understudy.lora.model_dump(),
            "seed": self.wanted_seed,
            "max_length": self.understudy.max_length,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def parse(model: type[BaseModel], body: object) -> BaseModel:
    """Validate a body; the error names the field and the rule, never the value."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            text = "unknown parameter"
        raise ApiError(400, f"{where}: {text}" if where else text, code="invalid_value", param=where or None) from None


def plain_word(text: str) -> str:
    """A model id as a part of ``fine_tuned_model``, which separates its parts by colons."""
    return re.sub(r"[^A-Za-z0-9._/-]+", "-", text).strip("-/")
