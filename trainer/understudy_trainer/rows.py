"""Files of training rows: JSONL of ``{"messages": [...]}``, checked line by line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .errors import RefusedError

ROLES = ("system", "developer", "user", "assistant", "tool")
MAX_LINE = 8 << 20
MAX_ERRORS = 10


@dataclass(frozen=True)
class FileFacts:
    rows: int
    bytes: int
    sha256: str


def check_file(stream: BinaryIO, max_bytes: int, sink: Callable[[bytes], object] = lambda _: None) -> FileFacts:
    """Read a file once: check every line, hash it, hand each line on to ``sink``.

    Raises RefusedError ``file_too_large`` or ``invalid_file``, whose message names up to ten lines by number and
    what is wrong with each, and quotes none of them.
    """
    digest, size, rows, errors, number = hashlib.sha256(), 0, 0, [], 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        size += len(line)
        if size > max_bytes:
            raise RefusedError("file_too_large", f"the file is larger than {max_bytes} bytes")
        if len(line) > MAX_LINE:
            errors.append(f"line {number}: longer than {MAX_LINE} bytes")
            break
        digest.update(line)
        sink(line)
        if not line.strip():
            continue
        problem = row_problem(line)
        if problem is None:
            rows += 1
            continue
        errors.append(f"line {number}: {problem}")
        if len(errors) == MAX_ERRORS:
            errors.append("further lines were not checked")
            break
    if errors:
        raise RefusedError("invalid_file", "; ".join(errors))
    if rows == 0:
        raise RefusedError("invalid_file", "line 1: the file holds no rows")
    return FileFacts(rows, size, digest.hexdigest())


def row_problem(line: bytes) -> str | None:
    """What is wrong with one line, or None. Never quotes the line."""
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return "not UTF-8"
    except json.JSONDecodeError as error:
        return f"not valid JSON (column {error.colno})"
    except RecursionError:
        return "nested too deeply"
    except ValueError:
        return "not valid JSON"
    if not isinstance(row, dict):
        return "must be a JSON object"
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        return "needs a non-empty list 'messages'"
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict):
            return f"{where} must be an object"
        if message.get("role") not in ROLES:
            return f"{where}.role must be one of {', '.join(ROLES)}"
        if not isinstance(message.get("content"), str):
            return f"{where}.content must be a string"
        if not message["content"].isascii() and not _encodable(message["content"]):
            return f"{where}.content holds half of a surrogate pair"
    if messages[-1]["role"] != "assistant":
        return "the last message must be the assistant's"
    if not messages[-1]["content"].strip():
        return "the assistant's answer is empty"
    if len(messages) < 2:
        return "needs a message before the assistant's answer"
    return None


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def read_rows(path: Path) -> list[list[dict]]:
    """The messages of every row of a file that ``check_file`` has accepted."""
    return list(_read(path))


def _read(path: Path) -> Iterator[list[dict]]:
    with open(path, "rb") as stream:
        for line in stream:
            if line.strip():
                messages = json.loads(line)["messages"]
                yield [{"role": message["role"], "content": message["content"]} for message in messages]
