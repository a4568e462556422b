"""What the client asks about the server itself."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from registry.mlflow.base import MlflowView

INFO = {
    # `MLFLOW_WORKSPACE` names a project.
    "workspaces_enabled": True,
    "multipart_uploads_enabled": False,
    "multipart_downloads_enabled": False,
    "artifacts_presigned_only": False,
    "trace_archival_enabled": False,
}


class ServerInfo(MlflowView):
    """Says nothing about anybody's objects."""

    authentication_classes = []
    permission_classes = []

    def get(self, request: Request) -> Response:
        return Response(INFO)
