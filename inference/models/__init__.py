from inference.models.batch import BatchChunk, BatchJob, JobStatus
from inference.models.endpoints import Endpoint, SplitActivation, TrafficShare, TrafficSplit, Variant
from inference.models.serving import RoutingState, ServingProcess, WarmRequest

__all__ = [
    "BatchChunk",
    "BatchJob",
    "Endpoint",
    "JobStatus",
    "RoutingState",
    "ServingProcess",
    "SplitActivation",
    "TrafficShare",
    "TrafficSplit",
    "Variant",
    "WarmRequest",
]
