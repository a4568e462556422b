"""Errors in the shape that the MLflow client reads. Imports nothing, so that the wiring may use it too."""

from __future__ import annotations

# What lies below has errors of this shape.
PATHS = ("/api/2.0/mlflow", "/ajax-api/2.0/mlflow", "/api/3.0/mlflow")
# The client looks at `error_code` alone; the status follows from it. Others of ours keep the status that they have.
BY_CODE = {"name_taken": ("RESOURCE_ALREADY_EXISTS", 400), "no_such_route": ("ENDPOINT_NOT_FOUND", 404)}
BY_STATUS = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "ENDPOINT_NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    413: "RESOURCE_EXHAUSTED",
    415: "INVALID_PARAMETER_VALUE",
    422: "INVALID_PARAMETER_VALUE",
    429: "REQUEST_LIMIT_EXCEEDED",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
}


def mlflow_error(status: int, code: str, message: str) -> tuple[dict[str, str], int]:
    """Body and status. `code` is the portal's own."""
    word, status = BY_CODE.get(code, (BY_STATUS.get(status, "INTERNAL_ERROR"), status))
    return {"error_code": word, "message": message}, status
