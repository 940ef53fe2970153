"""What both HTTP surfaces share: keys, bodies, and running uvicorn on a socket bound early."""

from __future__ import annotations

import hmac
import json
import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse

from .errors import ApiError
from .log import describe, log
from .processes import end_with_parent

_MAX_BODY = 8 << 20


class KeyCheck:
    """Pure ASGI middleware: every path but the health checks needs ``Authorization: Bearer <key>``, if there is one."""

    def __init__(self, app, key: str | None) -> None:
        self.app, self.key = app, key

    async def __call__(self, scope, receive, send) -> None:
        if self.key and scope["type"] == "http" and scope["path"] not in ("/health", "/healthz"):
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, f"Bearer {self.key}".encode()):
                error = ApiError(401, "Incorrect API key provided", code="invalid_api_key")
                await JSONResponse(error.body(), 401)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def read_key(variable: str | None) -> str | None:
    """The key in an environment variable. An empty one is a mistake, never an open door."""
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not key:
        raise SystemExit(f"--api-key-env: the environment variable {variable} is not set")
    return key


async def json_body(request: Request) -> object:
    """The parsed body. Raises ApiError 400 or 413, quoting nothing."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _MAX_BODY:
            raise ApiError(413, f"the body is larger than {_MAX_BODY} bytes", code="body_too_large")
        chunks.append(chunk)
    try:
        return json.loads(b"".join(chunks))
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not valid JSON", code="invalid_json") from None


async def on_api_error(_: Request, error: ApiError) -> JSONResponse:
    return JSONResponse(error.body(), error.status)


async def on_http_error(_: Request, error) -> JSONResponse:
    return JSONResponse(ApiError(error.status_code, str(error.detail)).body(), error.status_code)


async def on_bug(_: Request, error: Exception) -> JSONResponse:
    log("request_failed", level="error", **describe(error))
    return JSONResponse(ApiError(500, "internal error", code="internal_error").body(), 500)


def bind(host: str, port: int) -> socket.socket:
    """Bind before anything slow starts, so that a busy port is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        raise SystemExit(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from None
    return sock


def run_app(app, sock: socket.socket, name: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    import uvicorn

    handler = _JsonHandler()
    for logger in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(logger).handlers = [handler]
        logging.getLogger(logger).propagate = False
        logging.getLogger(logger).setLevel(logging.WARNING)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=3, backlog=2048)
    sock.listen(2048)
    host, port = sock.getsockname()[:2]
    log("listening", server=name, host=host, port=port)
    # uvicorn raises the signal again once it has shut down; by then this is a clean end.
    for code in (signal.SIGTERM, signal.SIGINT):
        signal.signal(code, lambda *_: None)
    uvicorn.Server(config).run(sockets=[sock])
    log("stopped", server=name)


class _JsonHandler(logging.Handler):
    """Other libraries' messages as lines of ours: the template without its values, an exception's type and place."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        text = str(record.msg).splitlines()[0][:200] if record.msg else ""
        log(
            "library",
            level=record.levelname.lower(),
            logger=record.name,
            message=text,
            **(describe(error) if error else {}),
        )


def stop_with_parent() -> None:
    """End this server, gracefully and then for good, when the process that started it is gone."""

    def stop() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Thread(target=lambda: (time.sleep(8), os._exit(75)), daemon=True).start()

    end_with_parent(os.getppid(), stop, death_signal=signal.SIGTERM)


def lock_folder(folder: Path):
    """Hold a folder for this process; the kernel lets go when the process ends, however it ends."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    handle = open(folder / ".lock", "w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit(f"another process uses {folder}") from None
    return handle
