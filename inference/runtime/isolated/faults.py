"""What callers are told when a model's own process fails them."""

from __future__ import annotations

from math import ceil

from portal.lib.errors import DeadlineExceeded, PortalError, Unavailable, Unprocessable


def again(error: PortalError) -> PortalError:
    """The same for another caller: one instance raised many times would gather tracebacks without end."""
    return type(error)(error.message, code=error.code, details=error.details, retry_after=error.retry_after)


def crashed(signal: str = "") -> Unprocessable:
    how = f" ({signal})" if signal else ""
    return Unprocessable(
        f"The model crashed on these values{how}; send other values, or upload a version that can handle them.",
        code="model_crashed",
    )


def out_of_memory() -> Unprocessable:
    return Unprocessable(
        "The model needs more memory for these values than it may have; send fewer rows or smaller values at once.",
        code="model_out_of_memory",
    )


def refused(reason: str) -> Unprocessable:
    return Unprocessable(f"The model refused these values: {reason}.", code="model_refused")


def too_late() -> DeadlineExceeded:
    return DeadlineExceeded("The model did not answer in time; send fewer rows at once, or allow it more time.")


def restarting(seconds: float) -> Unavailable:
    return Unavailable(
        "The process of this version ended and is being started again; try again in a moment.",
        code="model_restarting",
        retry_after=max(1, ceil(seconds)),
    )


def not_loadable() -> Unavailable:
    return Unavailable("This version cannot be loaded; upload it again or pick another one.", code="model_not_loadable")


def unloaded() -> Unavailable:
    return Unavailable("This version is being unloaded; try again.", code="model_unloaded", retry_after=1)


def no_memory() -> Unavailable:
    return Unavailable(
        "The server has no memory for these values just now; try again in a moment.",
        code="memory_exhausted",
        retry_after=5,
    )
