"""Errors that a caller may see. Their messages never quote conversation text."""

from __future__ import annotations


class ApiError(Exception):
    """An error of the HTTP surfaces, in OpenAI's shape: ``{"error": {message, type, param, code}}``."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | int | None = None,
        param: str | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind or ("invalid_request_error" if status < 500 else "server_error")

    def body(self) -> dict[str, object]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


class RefusedError(Exception):
    """Input that this program will not work with: a place outside the roots, an unsafe adapter, a bad row.

    ``code`` is a stable word for programs; the message says what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
