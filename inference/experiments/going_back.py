"""Going back with one act, whatever runs at an endpoint."""

from __future__ import annotations

from inference.endpoints.moves import Switched
from inference.experiments.concluding import stop
from inference.models import Endpoint, Experiment
from inference.rollouts import services as rollouts
from registry.access.principal import Principal


def roll_back(
    principal: Principal, endpoint: Endpoint, *, reason: str, revision: int | None = None, epoch: int | None = None
) -> Switched:
    """A rollout is aborted, an experiment stopped; otherwise the split before the live one comes back, or the named."""
    experiment = Experiment.objects.filter(endpoint=endpoint, state=Experiment.State.RUNNING).first()
    if experiment is None or revision is not None:
        return rollouts.roll_back(principal, endpoint, reason=reason, revision=revision, epoch=epoch)
    return stop(principal, experiment, reason=reason)
