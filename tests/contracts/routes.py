"""What the URL resolver really holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.urls import URLResolver, get_resolver

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Route(NamedTuple):
    path: str
    view: Any

    @property
    def view_class(self) -> Any:
        return getattr(self.view, "cls", None) or getattr(self.view, "view_class", None)

    @property
    def actions(self) -> dict[str, str] | None:
        """What the view itself says; None where it says nothing."""
        return getattr(self.view_class, "actions", None) or getattr(self.view, "actions", None)

    @property
    def methods(self) -> set[str]:
        """What the view answers, as far as that can be seen from outside: of a plain function nothing can."""
        if self.view_class is not None:
            return {method for method in METHODS if hasattr(self.view_class, method.lower())}
        return set(self.actions or ())


def routes() -> list[Route]:
    return list(_walk(get_resolver().url_patterns, ""))


def _walk(patterns: Any, before: str) -> Iterator[Route]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        else:
            yield Route(path, pattern.callback)
