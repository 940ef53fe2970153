"""Where base models and adapters may come from: the one place that turns a caller's words into a path or a hub id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import RefusedError

BASE_URI = "artifact:bases/"
ADAPTER_URI = "artifact:adapters/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


@dataclass(frozen=True)
class Base:
    """A base model: the id as the caller gave it, and what transformers loads (an absolute folder or a hub id)."""

    id: str
    source: str
    local: bool


class Locations:
    """The artifact root and the further folders an operator has allowed."""

    def __init__(self, artifacts: Path, allowed: Sequence[Path] = ()) -> None:
        self.artifacts = artifacts.resolve()
        self.roots = [self.artifacts, *(path.resolve() for path in allowed)]

    def base(self, base_id: str) -> Base:
        """Resolve ``artifact:bases/<name>``, a name below ``bases/``, an absolute folder or a hub id ``owner/name``.

        Raises RefusedError ``base_not_found``, ``path_not_allowed`` or ``bad_base``.
        """
        named = base_id.removeprefix(BASE_URI)
        if _NAME.fullmatch(named):
            folder = self.artifacts / "bases" / named
            if not folder.is_dir():
                raise RefusedError("base_not_found", f"no base model '{named}' under {self.artifacts / 'bases'}")
            return Base(base_id, str(self._inside(folder)), True)
        if base_id.startswith("/"):
            return Base(base_id, str(self._inside(Path(base_id))), True)
        if _HUB_ID.fullmatch(base_id) and ".." not in base_id:
            return Base(base_id, base_id, False)
        raise RefusedError(
            "bad_base",
            "base_model must be a name under bases/, artifact:bases/<name>, an absolute folder or owner/name",
        )

    def adapter(self, path: str) -> Path:
        """Resolve ``artifact:adapters/<digest>`` or an absolute folder. Raises RefusedError."""
        if path.startswith(ADAPTER_URI):
            name = path.removeprefix(ADAPTER_URI)
            if not _NAME.fullmatch(name):
                raise RefusedError("bad_path", "an adapter's URI is artifact:adapters/<digest>")
            return self._inside(self.artifacts / "adapters" / name)
        if not path.startswith("/"):
            raise RefusedError("bad_path", "lora_path must be absolute or artifact:adapters/<digest>")
        return self._inside(Path(path))

    def _inside(self, folder: Path) -> Path:
        """The real folder behind symbolic links, if it lies below a root."""
        try:
            real = folder.resolve()
        except (OSError, RuntimeError, ValueError) as error:  # loops, names too long, NUL bytes
            raise RefusedError("bad_path", "the path cannot be resolved") from error
        # Roots first: whether something exists outside of them is nobody's business.
        if not any(real.is_relative_to(root) for root in self.roots):
            raise RefusedError("path_not_allowed", "the path is outside the artifact root and the allowed folders")
        if not real.is_dir():
            raise RefusedError("path_not_found", "the path is no folder")
        return real
