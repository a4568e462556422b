"""What the management views share: lists that page and filter, and bodies checked by a serializer."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.serializers import BaseSerializer

from registry.access.principal import Principal
from registry.api import schema  # noqa: F401  Being imported is how its extensions get known.


class ManagementView(GenericAPIView[Any]):
    """`actions` maps each HTTP method to its action in the role table; what is missing there is refused."""

    actions: ClassVar[dict[str, str]] = {}

    @property
    def principal(self) -> Principal:
        return self.request.user  # type: ignore[return-value]

    def checked(self, serializer_class: type[BaseSerializer[Any]], request: Request) -> dict[str, Any]:
        """The body's fields; raises DRF's ValidationError, which becomes a 400."""
        serializer = serializer_class(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)
