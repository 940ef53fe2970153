"""The digest of a set of files: SHA-256 of the lines ``<sha256 hex>  <name>\\n``, sorted by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def file_sha256(path: Path) -> str:
    """SHA-256 of one file's bytes, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def files_digest(folder: Path, names: Iterable[str]) -> str:
    """The digest of the named files of one folder, in hex."""
    lines = "".join(f"{file_sha256(folder / name)}  {name}\n" for name in sorted(names))
    return hashlib.sha256(lines.encode()).hexdigest()
