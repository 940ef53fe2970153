"""vLLM's dynamic LoRA surface: models, chat completions, loading and unloading of adapters."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..errors import ApiError, RefusedError
from ..http_common import KeyCheck, json_body, on_api_error, on_bug, on_http_error
from ..locations import Base, Locations
from ..log import describe, log
from .chat import Chat
from .engine import Engine
from .generate import Decoder
from .models import Adapter, Models, default_merge_below
from .schemas import LoadAdapter, UnloadAdapter, bad_request, not_found, parse, user_error


def create_app(
    locations: Locations,
    base: Base,
    *,
    base_name: str = "base",
    aliases: list[str] | None = None,
    threads: int = 0,
    max_batch: int = 64,
    window: float = 0.002,
    max_rank: int = 128,
    max_loras: int = 32,
    max_length: int = 4096,
    merge_below: int | None = None,
    key: str | None = None,
) -> Starlette:
    """Load the base and build the application; it answers nothing before the base is loaded."""
    started = time.monotonic()
    models = Models(
        locations,
        base,
        aliases or [],
        threads=threads,
        max_rank=max_rank,
        merge_below=default_merge_below() if merge_below is None else merge_below,
    )
    limit = min(max_length, getattr(models.model.config, "max_position_embeddings", None) or max_length)
    engine = Engine(models, Decoder(models.tokenizer, *_ends(models)), max_batch=max_batch, window=window)
    adapters: dict[str, Adapter | None] = {}  # None: being loaded, the name is taken
    created = int(time.time())
    log(
        "base_loaded",
        base=base.id,
        parameters=models.model.num_parameters(),
        threads=models.threads,
        merged_adapters=models.merges,
        seconds=round(time.monotonic() - started, 1),
    )

    async def health(_: Request) -> Response:
        return Response()

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def list_models(_: Request) -> Response:
        cards = [_card(base_name, created, base.id, None, limit)]
        cards += [_card(a.name, a.created, a.path, base_name, limit) for a in adapters.values() if a]
        return JSONResponse({"object": "list", "data": cards})

    async def load(request: Request) -> Response:
        wanted = parse(LoadAdapter, await json_body(request))
        name = wanted.lora_name
        if wanted.load_inplace:
            raise user_error("load_inplace is not supported: load the adapter under a new name")
        if name in adapters or name == base_name:
            raise user_error(f"The lora adapter '{name}' has already been loaded.")
        if len(adapters) >= max_loras:
            raise user_error(f"{max_loras} adapters are loaded already; unload one first")
        adapters[name] = None
        try:
            adapter = await run_in_threadpool(models.check, name, wanted.lora_path)
            await asyncio.wrap_future(engine.call(lambda: models.load_weights(adapter)))
        except RefusedError as error:
            adapters.pop(name)
            log("adapter_refused", level="warn", adapter=name, code=error.code)
            missing = error.code == "path_not_found"
            raise (not_found if missing else bad_request)(f"{error.code}: {error.message}", "lora_path") from None
        except Exception as error:
            adapters.pop(name)
            log("adapter_refused", level="warn", adapter=name, **describe(error))
            raise bad_request("the adapter could not be loaded onto the base model", "lora_path") from None
        except BaseException:
            adapters.pop(name)
            raise
        adapters[name] = adapter
        log("adapter_loaded", adapter=name, digest=adapter.facts.digest, rank=adapter.facts.rank)
        return PlainTextResponse(f"Success: LoRA adapter '{name}' added successfully.")

    async def unload(request: Request) -> Response:
        name = parse(UnloadAdapter, await json_body(request)).lora_name
        adapter = adapters.get(name)
        if adapter is None:
            raise not_found(f"The lora adapter '{name}' cannot be found.", "lora_name")
        del adapters[name]
        await asyncio.wrap_future(engine.drop(adapter))
        log("adapter_unloaded", adapter=name)
        return PlainTextResponse(f"Success: LoRA adapter '{name}' removed successfully.")

    def find(name: str) -> Adapter | None:
        if name == base_name:
            return None
        if adapter := adapters.get(name):
            return adapter
        raise not_found(f"The model `{name}` does not exist.", "model")

    @asynccontextmanager
    async def lifespan(_: Starlette):
        engine.start()
        yield
        engine.stop()

    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/healthz", healthz),
            Route("/v1/models", list_models),
            Route("/v1/load_lora_adapter", load, methods=["POST"]),
            Route("/v1/unload_lora_adapter", unload, methods=["POST"]),
            Route("/v1/chat/completions", Chat(engine, models.tokenizer, find, limit).answer, methods=["POST"]),
        ],
        lifespan=lifespan,
        exception_handlers={ApiError: on_api_error, HTTPException: on_http_error, Exception: on_bug},
    )
    app.add_middleware(KeyCheck, key=key)
    app.state.engine, app.state.models = engine, models
    return app


def _ends(models: Models) -> tuple[set[int], int]:
    ends = models.model.generation_config.eos_token_id
    ends = {ends} if isinstance(ends, int) else set(ends or [])
    if models.tokenizer.eos_token_id is not None:
        ends.add(models.tokenizer.eos_token_id)
    pad = models.tokenizer.pad_token_id
    return ends, 0 if pad is None else pad


def _card(name: str, created: int, root: str, parent: str | None, limit: int) -> dict:
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "understudy",
        "root": root,
        "parent": parent,
        "max_model_len": limit if parent is None else None,
        "permission": [{"id": f"modelperm-{secrets.token_hex(8)}", "object": "model_permission"}],
    }
