"""The OpenAI fine-tuning API as published (files, jobs, events, cancel), plus the ``understudy`` object."""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ..errors import ApiError, RefusedError
from ..http_common import KeyCheck, json_body, on_api_error, on_bug, on_http_error
from ..locations import Locations
from ..log import log
from ..rows import check_file
from . import views
from .runner import Runner
from .schemas import CreateJob, Hyperparameters, parse
from .store import ACTIVE, Store, new_id

MAX_FILE = 512 << 20
AUTO = {"n_epochs": 2, "batch_size": 16, "learning_rate_multiplier": 1.0}
"""What "auto" means."""


def create_app(
    state: Path,
    locations: Locations,
    *,
    threads: int = 0,
    max_length: int = 1024,
    max_file_bytes: int = MAX_FILE,
    key: str | None = None,
    key_env: str | None = None,
) -> FastAPI:
    """The application. It owns ``state``; the caller has made sure that nobody else does."""
    store = Store(state)
    runner = Runner(store, locations, state, secret_env=key_env)
    files = state / "files"
    for unfinished in files.glob(".upload-*"):  # of a server that was killed
        unfinished.unlink()

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        runner.start()
        yield
        await run_in_threadpool(runner.stop)
        store.close()

    app = FastAPI(lifespan=lifespan, title="Understudy reference trainer", docs_url=None, redoc_url=None)
    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_bug)
    app.add_middleware(KeyCheck, key=key)

    @app.get("/healthz")
    async def healthz() -> dict:
        return {"status": "ok"}

    @app.post("/v1/files")
    async def upload(request: Request) -> dict:
        if int(request.headers.get("content-length") or 0) > max_file_bytes + 65536:
            raise ApiError(413, f"the file is larger than {max_file_bytes} bytes", code="file_too_large")
        async with request.form(max_files=1, max_fields=8) as form:
            upload, purpose = form.get("file"), form.get("purpose")
            if upload is None or isinstance(upload, str):
                raise ApiError(400, "file: a multipart file is required", code="missing_parameter", param="file")
            if purpose != "fine-tune":
                raise ApiError(400, "purpose: must be fine-tune", code="invalid_value", param="purpose")
            name = Path(upload.filename or "upload.jsonl").name[:200]
            return views.file(await run_in_threadpool(keep, upload.file, name))

    def keep(source, name: str) -> dict:
        file_id = new_id("file")
        handle, path = tempfile.mkstemp(dir=files, prefix=".upload-")
        try:
            with os.fdopen(handle, "wb") as target:
                facts = check_file(source, max_file_bytes, target.write)
                target.flush()
                os.fsync(target.fileno())
            os.rename(path, files / f"{file_id}.jsonl")
        except RefusedError as error:
            os.unlink(path)
            status = 413 if error.code == "file_too_large" else 400
            raise ApiError(status, error.message, code=error.code, param="file") from None
        except BaseException:
            os.unlink(path)
            raise
        log("file_stored", file=file_id, rows=facts.rows, bytes=facts.bytes)
        return store.add_file(file_id, name, "fine-tune", facts.bytes, facts.rows, facts.sha256)

    def found_file(file_id: str) -> dict:
        if (row := store.file(file_id)) is None:
            raise ApiError(404, "no such file", code="file_not_found", param="file_id")
        return row

    @app.get("/v1/files")
    def list_files(request: Request) -> dict:
        after, limit = _page(request, 10000)
        rows, more = store.files(after, limit, request.query_params.get("purpose"))
        return views.page([views.file(row) for row in rows], more)

    @app.get("/v1/files/{file_id}")
    def get_file(file_id: str) -> dict:
        return views.file(found_file(file_id))

    @app.get("/v1/files/{file_id}/content")
    def file_content(file_id: str) -> FileResponse:
        row = found_file(file_id)
        return FileResponse(files / f"{row['id']}.jsonl", media_type="application/jsonl")

    @app.delete("/v1/files/{file_id}")
    def delete_file(file_id: str) -> dict:
        row = found_file(file_id)
        store.delete_file(row["id"])
        (files / f"{row['id']}.jsonl").unlink(missing_ok=True)
        return {"id": row["id"], "object": "file", "deleted": True}

    @app.post("/v1/fine_tuning/jobs")
    async def create_job(request: Request) -> dict:
        wanted = parse(CreateJob, await json_body(request))
        return await run_in_threadpool(submit, wanted)

    def submit(wanted: CreateJob) -> dict:
        try:
            locations.base(wanted.base_model)
        except RefusedError as error:
            raise ApiError(400, error.message, code=error.code, param="understudy.base_model") from None
        metadata = dict(wanted.metadata or {})
        if wanted.key:
            metadata["understudy_key"] = wanted.key
        job, new = store.add_job(
            key=wanted.key,
            fingerprint=wanted.fingerprint(),
            training_file=wanted.training_file,
            validation_file=wanted.validation_file,
            metadata=metadata,
            spec=_spec(wanted, threads, max_length),
        )
        log("job_created" if new else "job_found", job=job["id"])
        runner.wake()
        return views.job(job)

    def found_job(job_id: str) -> dict:
        if (row := store.job(job_id)) is None:
            raise ApiError(404, "no such fine-tuning job", code="fine_tune_not_found", param="fine_tuning_job_id")
        return row

    @app.get("/v1/fine_tuning/jobs")
    def list_jobs(request: Request) -> dict:
        after, limit = _page(request, 100)
        wanted = {
            name[len("metadata[") : -1]: value
            for name, value in request.query_params.multi_items()
            if name.startswith("metadata[") and name.endswith("]")
        }
        rows, more = store.jobs(after, limit, wanted)
        return views.page([views.job(row) for row in rows], more)

    @app.get("/v1/fine_tuning/jobs/{job_id}")
    def get_job(job_id: str) -> dict:
        return views.job(found_job(job_id))

    @app.get("/v1/fine_tuning/jobs/{job_id}/events")
    def list_events(job_id: str, request: Request) -> dict:
        found_job(job_id)
        after, limit = _page(request, 1000)
        rows, more = store.events(job_id, after, limit)
        return views.page([views.event(row) for row in rows], more)

    @app.post("/v1/fine_tuning/jobs/{job_id}/cancel")
    def cancel(job_id: str) -> dict:
        """Answers when the job's process is gone. Twice is fine; a job that has ended otherwise cannot be cancelled."""
        found_job(job_id)
        if store.move(job_id, ACTIVE, "cancelled", "The job was cancelled"):
            log("job_cancelled", job=job_id)
            runner.wake()
            runner.wait_until_gone(job_id, 9)
        row = found_job(job_id)
        if row["status"] != "cancelled":
            raise ApiError(400, f"the job has already {row['status']}", code="job_already_ended")
        return views.job(row)

    @app.exception_handler(404)
    async def unknown_route(request: Request, _: Exception) -> JSONResponse:
        return JSONResponse(ApiError(404, f"no route {request.method} {request.url.path}").body(), 404)

    return app


def _spec(wanted: CreateJob, threads: int, max_length: int) -> dict:
    lora = wanted.understudy.lora
    chosen = _resolved(wanted.wanted_hyperparameters)
    seed = secrets.randbelow(2**31) if wanted.wanted_seed is None else wanted.wanted_seed
    return {
        "model": wanted.model,
        "suffix": wanted.suffix,
        "hyperparameters": chosen,
        "lora": {
            "base_model": wanted.base_model,
            "rank": lora.rank,
            "alpha": lora.alpha or 2.0 * lora.rank,
            "dropout": lora.dropout,
            "epochs": chosen["n_epochs"],
            "batch_size": chosen["batch_size"],
            "learning_rate": lora.learning_rate,
            "learning_rate_multiplier": chosen["learning_rate_multiplier"],
            "seed": seed,
            "max_length": wanted.understudy.max_length or max_length,
            "threads": threads,
        },
    }


def _resolved(asked: Hyperparameters) -> dict:
    return {name: AUTO[name] if value == "auto" else value for name, value in asked.model_dump().items()}


def _page(request: Request, most: int) -> tuple[str | None, int]:
    text = request.query_params.get("limit", "20")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise ApiError(400, f"limit: must be 1 to {most}", code="invalid_value", param="limit")
    return request.query_params.get("after"), int(text)
