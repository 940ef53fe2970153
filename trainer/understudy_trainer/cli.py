"""Command line. Nothing here imports torch: each command imports what it needs once its arguments are known good."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from . import __version__
from .errors import RefusedError


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status: 0, or 2 for input that is refused."""
    arguments = _parser().parse_args(argv)
    # libgomp reads this when torch loads it. Threads that spin while they wait starve each other on shared cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        return arguments.run(arguments)
    except RefusedError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="understudy-trainer", description="The reference trainer of Understudy.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="the fine-tuning API; each job is a LoRA fine-tune")
    _server_options(train, 8900)
    train.add_argument("--state", type=Path, required=True, help="folder for files, jobs and events")
    train.add_argument("--threads", type=_count, default=0, help="torch's threads in a job; 0 chooses by model size")
    train.add_argument("--max-length", type=_count, default=1024, help="tokens in a row; longer rows are left out")
    train.set_defaults(run=_train)

    serve = commands.add_parser("serve", help="a base model with LoRA adapters that come and go")
    _server_options(serve, 8901)
    serve.add_argument("--base", required=True, help="name under bases/, absolute folder or hub id")
    serve.add_argument("--base-name", default="base", help="the name that requests use for the base itself")
    serve.add_argument("--base-alias", action="append", default=[], help="another id of the base in adapters")
    serve.add_argument("--threads", type=_count, default=0, help="torch's threads; 0 chooses by model size")
    serve.add_argument("--max-batch", type=_count, default=64, help="answers generated together")
    serve.add_argument("--window-ms", type=float, default=2.0, help="wait for more requests before a batch")
    serve.add_argument("--max-lora-rank", type=_count, default=128)
    serve.add_argument("--max-loras", type=_count, default=32, help="adapters loaded at a time")
    serve.add_argument("--max-length", type=_count, default=4096, help="tokens of prompt and answer together")
    serve.set_defaults(run=_serve)

    build = commands.add_parser("build-base", help="a tiny base model from rows of messages")
    build.add_argument("--data", type=Path, required=True, help='JSONL of {"messages": [...]}')
    build.add_argument("--out", type=Path, required=True)
    build.add_argument("--threads", type=_count, default=1)
    build.add_argument("--max-seconds", type=float, help="stop training after this long (then not reproducible)")
    from .base.options import BaseOptions

    for name, default in vars(BaseOptions()).items():
        build.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    build.set_defaults(run=_build_base)

    job = commands.add_parser("_job")
    job.add_argument("spec", type=Path)
    job.add_argument("parent", type=int)
    job.set_defaults(run=_job)
    return parser


def _server_options(parser: argparse.ArgumentParser, port: int) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_count, default=port, help="0 takes a free one, told in the line 'listening'")
    parser.add_argument("--artifacts", type=Path, required=True, help="root that holds bases/ and adapters/")
    parser.add_argument("--allow-path", type=Path, action="append", default=[], help="another folder to load from")
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable that holds the API key")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when the starting process is gone")


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return number


def _train(arguments: argparse.Namespace) -> int:
    from .http_common import bind, lock_folder, read_key, run_app, stop_with_parent

    key = read_key(arguments.api_key_env)
    if arguments.exit_with_parent:
        stop_with_parent()
    sock = bind(arguments.host, arguments.port)
    lock = lock_folder(arguments.state)
    from .jobs.api import create_app
    from .locations import Locations

    app = create_app(
        arguments.state.resolve(),
        Locations(arguments.artifacts, arguments.allow_path),
        threads=arguments.threads,
        max_length=arguments.max_length,
        key=key,
        key_env=arguments.api_key_env,
    )
    run_app(app, sock, "train")
    lock.close()
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from .http_common import bind, read_key, run_app, stop_with_parent
    from .locations import Locations

    key = read_key(arguments.api_key_env)
    if arguments.exit_with_parent:
        stop_with_parent()
    locations = Locations(arguments.artifacts, arguments.allow_path)
    base = locations.base(arguments.base)
    sock = bind(arguments.host, arguments.port)
    from .serving.app import create_app

    app = create_app(
        locations,
        base,
        base_name=arguments.base_name,
        aliases=arguments.base_alias,
        threads=arguments.threads,
        max_batch=max(1, arguments.max_batch),
        window=arguments.window_ms / 1000,
        max_rank=arguments.max_lora_rank,
        max_loras=arguments.max_loras,
        max_length=arguments.max_length,
        key=key,
    )
    run_app(app, sock, "serve")
    return 0


def _build_base(arguments: argparse.Namespace) -> int:
    from .base.build import build_base
    from .base.options import BaseOptions

    options = BaseOptions(**{name: getattr(arguments, name) for name in vars(BaseOptions())})
    try:
        build_base(
            arguments.data, arguments.out, options, threads=arguments.threads or 1, max_seconds=arguments.max_seconds
        )
    except FileNotFoundError as error:
        raise RefusedError("file_not_found", f"no file {error.filename}") from None
    return 0


def _job(arguments: argparse.Namespace) -> int:
    from .jobs.child import run_child

    # Nothing is left to do, and torch takes seconds to be torn down.
    os._exit(run_child(arguments.spec, arguments.parent))
