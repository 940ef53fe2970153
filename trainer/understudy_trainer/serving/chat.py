"""``POST /v1/chat/completions``: a request becomes sequences for the engine, its answers a completion."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from ..errors import ApiError
from ..http_common import json_body
from .engine import Engine
from .generate import Sequence
from .models import Adapter
from .schemas import ChatRequest, bad_request, parse

DEFAULT_MAX_TOKENS = 512


class Chat:
    def __init__(self, engine: Engine, tokenizer, find: Callable[[str], Adapter | None], limit: int) -> None:
        self._engine, self._tokenizer, self._find, self._limit = engine, tokenizer, find, limit

    async def answer(self, request: Request) -> Response:
        wanted = parse(ChatRequest, await json_body(request))
        adapter = self._find(wanted.model)
        prompt = self._prompt(wanted)
        room = self._limit - len(prompt)
        if room < 1:
            raise bad_request(
                f"This model's maximum context length is {self._limit} tokens; the messages have {len(prompt)}.",
                "messages",
            )
        most = min(room, wanted.max_completion_tokens or wanted.max_tokens or DEFAULT_MAX_TOKENS)
        sequences = await self._generate(request, wanted, adapter, prompt, most)
        body = _completion(wanted.model, prompt, sequences)
        return StreamingResponse(_chunks(body), media_type="text/event-stream") if wanted.stream else JSONResponse(body)

    def _prompt(self, wanted: ChatRequest) -> list[int]:
        messages = [{"role": message.role, "content": message.text} for message in wanted.messages]
        try:
            text = self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
            return self._tokenizer(text, add_special_tokens=False)["input_ids"]
        except Exception:  # the template refuses a role or an order; its message may quote the conversation
            raise bad_request("the model's chat template refuses these messages", "messages") from None

    async def _generate(
        self, request: Request, wanted: ChatRequest, adapter: Adapter | None, prompt: list[int], most: int
    ) -> list[Sequence]:
        """Wait for all answers or for the client to go away, whichever comes first."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        left = wanted.n or 1

        def settle(error: BaseException | None) -> None:
            nonlocal left
            left -= 1
            if not waiter.done() and (error or left == 0):
                waiter.set_exception(error) if error else waiter.set_result(None)

        def done(_: Sequence, error: BaseException | None) -> None:  # called by the inference thread
            with suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(settle, error)

        sequences = [
            Sequence(
                prompt,
                most,
                temperature=wanted.temperature or 0.0,
                top_p=wanted.top_p or 1.0,
                seed=None if wanted.seed is None else wanted.seed + number,
                stops=wanted.stops,
                wanted=lambda: not waiter.done(),
            )
            for number in range(left)
        ]
        for sequence in sequences:
            if not self._engine.submit(adapter, sequence, done):
                waiter.cancel()
                raise ApiError(503, "too many requests are waiting", kind="ServiceUnavailableError", code=503)
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait((waiter, gone), return_when=asyncio.FIRST_COMPLETED)
            if not waiter.done():
                raise ApiError(499, "the client closed the connection")
            if waiter.exception():
                raise ApiError(500, "the answer could not be generated", kind="InternalServerError", code=500)
        finally:
            gone.cancel()
            waiter.cancel()
        return sequences


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _completion(model: str, prompt: list[int], sequences: list[Sequence]) -> dict:
    made = sum(len(sequence.made) for sequence in sequences)
    return {
        "id": f"chatcmpl-{secrets.token_hex(16)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": sequence.text},
                "logprobs": None,
                "finish_reason": sequence.finish_reason,
            }
            for index, sequence in enumerate(sequences)
        ],
        "usage": {"prompt_tokens": len(prompt), "completion_tokens": made, "total_tokens": len(prompt) + made},
    }


async def _chunks(body: dict):
    """A finished completion as server-sent events: each choice in one piece, then its end."""
    head = {key: body[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    for choice in body["choices"]:
        for delta, reason in ((choice["message"], None), ({}, choice["finish_reason"])):
            piece = {"index": choice["index"], "delta": delta, "logprobs": None, "finish_reason": reason}
            yield f"data: {json.dumps(head | {'choices': [piece]})}\n\n"
    yield "data: [DONE]\n\n"
