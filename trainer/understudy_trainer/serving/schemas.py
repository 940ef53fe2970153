"""Bodies of the adapter server. Unknown parameters of chat completions are ignored, as by vLLM."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ApiError


class Part(BaseModel):
    type: str
    text: str = ""


class Message(BaseModel):
    role: Annotated[str, Field(min_length=1, max_length=32)]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            if any(part.type != "text" for part in self.content):
                raise bad_request("only text content is supported", "messages")
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(BaseModel):
    model: str
    messages: Annotated[list[Message], Field(min_length=1, max_length=2048)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=10)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    n: Annotated[int, Field(ge=1, le=16)] | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        words = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(word for word in words if word)


class LoadAdapter(BaseModel):
    """``load_inplace`` is vLLM's; asking for it is refused, because answers would change under one name."""

    model_config = ConfigDict(extra="forbid")
    lora_name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@:/-]*$")]
    lora_path: Annotated[str, Field(min_length=1, max_length=4096)]
    load_inplace: bool = False


class UnloadAdapter(BaseModel):
    model_config = ConfigDict(extra="forbid")
    lora_name: Annotated[str, Field(min_length=1, max_length=200)]
    lora_int_id: int | None = None


def bad_request(message: str, param: str | None = None) -> ApiError:
    return ApiError(400, message, kind="BadRequestError", code=400, param=param)


def not_found(message: str, param: str | None = None) -> ApiError:
    return ApiError(404, message, kind="NotFoundError", code=404, param=param)


def user_error(message: str) -> ApiError:
    """What vLLM answers to a wrong request about adapters."""
    return ApiError(400, message, kind="InvalidUserInput", code=400)


def parse(model: type[BaseModel], body: object) -> BaseModel:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise bad_request(f"{where}: {first['msg']}" if where else first["msg"], where or None) from None
