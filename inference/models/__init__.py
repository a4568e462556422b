from inference.models.batch import BatchChunk, BatchJob, JobStatus
from inference.models.endpoints import Endpoint, SplitActivation, TrafficShare, TrafficSplit, Variant
from inference.models.experiments import Experiment, ExperimentArm, ExposedUnit
from inference.models.golden import GoldenRequest, GoldenRun
from inference.models.monitoring import MetricWindow
from inference.models.quarantine import Quarantine, RuntimeDeath
from inference.models.records import Outcome, PredictionRecord, ReplayDiff, ReplayRun
from inference.models.rollouts import (
    ENDED,
    AnalysisRun,
    BadUnit,
    Command,
    Disagreement,
    EvidenceBatch,
    EvidenceWindow,
    Rollout,
    RolloutEvent,
    RolloutStage,
    RolloutState,
)
from inference.models.serving import RoutingState, ServingProcess, WarmRequest

__all__ = [
    "ENDED",
    "AnalysisRun",
    "BadUnit",
    "BatchChunk",
    "BatchJob",
    "Command",
    "Disagreement",
    "Endpoint",
    "EvidenceBatch",
    "EvidenceWindow",
    "Experiment",
    "ExperimentArm",
    "ExposedUnit",
    "GoldenRequest",
    "GoldenRun",
    "JobStatus",
    "MetricWindow",
    "Outcome",
    "PredictionRecord",
    "Quarantine",
    "ReplayDiff",
    "ReplayRun",
    "Rollout",
    "RolloutEvent",
    "RolloutStage",
    "RolloutState",
    "RoutingState",
    "RuntimeDeath",
    "ServingProcess",
    "SplitActivation",
    "TrafficShare",
    "TrafficSplit",
    "Variant",
    "WarmRequest",
]
