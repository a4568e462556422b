"""V2's repository and statistics extensions: which endpoints are in and out of service, and what they answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from inference.api.predict import ProtocolView, read_body
from inference.api.served import routes_for, served, versions_of, why_not_ready
from inference.endpoints.services import set_loaded
from inference.monitoring.statistics import VersionStatistics, statistics_of
from inference.protocol import repository
from inference.protocol.repository import IndexEntry, State
from inference.protocol.statistics import model_stats
from inference.routing.snapshot import Route
from inference.selectors.endpoints import get_endpoint
from inference.serving.sessions import session_pool
from registry.access.principal import Principal


class RepositoryIndex(ProtocolView):
    """The body may hold `{"ready": true}`, or be empty, as clients send it."""

    actions = {"POST": "endpoint.predict"}

    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        only_ready = repository.decode_index(read_body(request._request))
        entries = (entry for route in routes_for(request) for entry in _entries(route))
        return Response(repository.index(entries, only_ready=only_ready))


def _entries(route: Route) -> Iterator[IndexEntry]:
    for version in (*versions_of(route),) or (None,):
        why = why_not_ready(route, version)
        state = State.UNAVAILABLE if why else State.READY
        yield IndexEntry(route.slug, str(version.number) if version else "", state, why)


class RepositoryLoad(ProtocolView):
    """Back into service, with the split that it had."""

    actions = {"POST": "endpoint.deploy"}

    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, slug: str) -> Response:
        repository.check_load(read_body(request._request))
        principal = cast(Principal, request.user)
        set_loaded(principal, get_endpoint(principal, slug), loaded=True)
        return Response({"name": slug, "load": True})


class RepositoryUnload(ProtocolView):
    """Out of service: every call is answered 503 until it is loaded again. The split stays."""

    actions = {"POST": "endpoint.deploy"}

    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, slug: str) -> Response:
        repository.check_unload(read_body(request._request))
        principal = cast(Principal, request.user)
        set_loaded(principal, get_endpoint(principal, slug), loaded=False)
        return Response({"name": slug, "unload": True})


class StatisticsOfAll(ProtocolView):
    """Of all serving processes of this machine together, since they were started."""

    actions = {"GET": "endpoint.predict"}

    @extend_schema(operation_id="v2_models_stats_list", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response(_statistics(routes_for(request)))


class Statistics(ProtocolView):
    actions = {"GET": "endpoint.predict"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str, version: str | None = None) -> Response:
        route, versions = served(request, slug, version)
        return Response(_statistics([route], versions[0].number if version is not None else None))


def _statistics(routes: Iterable[Route], number: int | None = None) -> dict[str, object]:
    held = {stats.digest: stats.memory_bytes for stats in session_pool().stats()}
    figures: dict[str, list[VersionStatistics]] = {}
    memory: dict[tuple[str, int], int] = {}
    for route in routes:
        served_now = [version.number for version in versions_of(route)] if number is None else [number]
        figures[route.slug] = statistics_of(route.slug, number, served=served_now)
        for version in versions_of(route):
            if version.sha256 in held:
                memory[route.slug, version.number] = held[version.sha256]
    return model_stats(figures, memory)
