"""Every error that Slipway answers with, as one small tree.

An error carries a stable `code` for programs, one plain sentence for people and the HTTP status it maps to. The mapping
to a response happens once, in `portal/api.py` for management calls and in `inference/serving` for predictions. This
module imports nothing, so that the pure modules may raise these errors too.
"""

from __future__ import annotations

from typing import Any


class PortalError(Exception):
    """Base of the tree. `details` is JSON-ready; `retry_after` is in seconds."""

    status = 500
    code = "internal"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.details = details or {}
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.message)


class InvalidInput(PortalError):
    """The request itself is wrong: the caller has to change it."""

    status = 400
    code = "invalid_input"


class NotAuthenticated(PortalError):
    status = 401
    code = "not_authenticated"


class NotAllowed(PortalError):
    """The caller sees the object but may not do this to it."""

    status = 403
    code = "not_allowed"


class NotFound(PortalError):
    """Missing, or not visible to the caller: the two cannot be told apart."""

    status = 404
    code = "not_found"


class Conflict(PortalError):
    """The state moved on, or does not permit the act; `details` shows the state now."""

    status = 409
    code = "conflict"


class TooLarge(PortalError):
    status = 413
    code = "too_large"


class UnsupportedMedia(PortalError):
    status = 415
    code = "unsupported_media_type"


class Unprocessable(PortalError):
    """Well-formed, but the model refuses the values."""

    status = 422
    code = "unprocessable"


class TooManyRequests(PortalError):
    status = 429
    code = "too_many_requests"


class Unavailable(PortalError):
    """Not now; `retry_after` says when it is worth another try."""

    status = 503
    code = "unavailable"


class DeadlineExceeded(PortalError):
    status = 504
    code = "deadline_exceeded"
