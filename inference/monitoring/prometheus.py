"""What Prometheus reads at `/metrics`: the counts of all serving processes, the ended included."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from inference.monitoring import observe, own_metrics, triton_metrics
from inference.monitoring.exchange import Exchange, folder
from inference.monitoring.state import State


class StateCollector(Collector):
    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        yield from own_metrics.families(self._state)
        yield from triton_metrics.families(self._state)


def current_state() -> State:
    """Of all processes that share a folder; without one, of this process."""
    place = folder()
    return Exchange(place).read() if place else observe.OBSERVATIONS.state()


def exposition() -> bytes:
    """The text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StateCollector(current_state()))
    return generate_latest(registry)
