from inference.models.batch import BatchChunk, BatchJob, JobStatus
from inference.models.endpoints import Endpoint, SplitActivation, TrafficShare, TrafficSplit, Variant
from inference.models.monitoring import MetricWindow
from inference.models.quarantine import Quarantine, RuntimeDeath
from inference.models.serving import RoutingState, ServingProcess, WarmRequest

__all__ = [
    "BatchChunk",
    "BatchJob",
    "Endpoint",
    "JobStatus",
    "MetricWindow",
    "Quarantine",
    "RoutingState",
    "RuntimeDeath",
    "ServingProcess",
    "SplitActivation",
    "TrafficShare",
    "TrafficSplit",
    "Variant",
    "WarmRequest",
]
