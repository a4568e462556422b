"""People, models, endpoints and jobs as rows, made in a few milliseconds. Versions have real bytes and can be run."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group
from django.utils import timezone

from inference.endpoints.services import create_endpoint
from inference.endpoints.switching import WantedShare, promote, set_split
from inference.experiments.starting import start as start_experiment
from inference.models import (
    BatchJob,
    Command,
    Disagreement,
    Endpoint,
    Experiment,
    GoldenRequest,
    GoldenRun,
    JobStatus,
    PredictionRecord,
    ReplayRun,
    Rollout,
)
from inference.outcomes.imports import PATH as IMPORTS
from inference.rollouts.services import create_rollout
from inference.rollouts.validation import validate
from inference.selectors.golden import digest_of, golden_of
from registry.access.principal import AUDITOR_GROUP, SYSTEM, Principal, principal_of_user
from registry.artifacts.seals import fingerprint
from registry.models import (
    ApiToken,
    Delivery,
    Membership,
    ModelVersion,
    Notification,
    Project,
    RegisteredModel,
    SigningKey,
    Upload,
    UploadPart,
    UploadState,
    User,
    VersionStatus,
)
from registry.notifications.webhooks import create_webhook
from registry.services.artifacts import artifact_store, job_store
from registry.services.tokens import create_token
from tests import graphs

PASSWORD = "a-long-passw0rd"
SIGNATURE = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 4]}],
}
_numbers = itertools.count(1)


def make_project(slug: str = "default") -> Project:
    return Project.objects.get_or_create(slug=slug, defaults={"name": slug.title()})[0]


def make_user(name: str, role: str | None = None, project: Project | None = None, **facts: Any) -> User:
    user = User.objects.create_user(name, **facts)
    if role:
        Membership.objects.create(project=project or make_project(), user=user, role=role)
    return user


def make_auditor(name: str) -> User:
    user = make_user(name)
    user.groups.add(Group.objects.get_or_create(name=AUDITOR_GROUP)[0])
    return user


def principal(name: str, role: str | None = None, project: Project | None = None) -> Principal:
    return principal_of_user(make_user(name, role, project))


def token_for(user: User, *scopes: str, endpoints: tuple[str, ...] = ()) -> tuple[ApiToken, str]:
    wanted = list(scopes) or ["read", "predict", "upload", "jobs", "deploy", "admin"]
    return create_token(SYSTEM, owner=user, name="test", scopes=wanted, endpoints=list(endpoints))


def make_signing_key(user: User) -> SigningKey:
    """Its private half is nobody's."""
    public = os.urandom(32)
    text = base64.b64encode(public).decode()
    return SigningKey.objects.create(user=user, name="laptop", public_key=text, fingerprint=fingerprint(public))


def make_model(name: str = "", project: Project | None = None) -> RegisteredModel:
    return RegisteredModel.objects.create(project=project or make_project(), name=name or f"model-{next(_numbers)}")


def make_version(
    model: RegisteredModel, added: float = 10.0, status: str = VersionStatus.READY, data: bytes | None = None
) -> ModelVersion:
    """The next version; it answers x + `added`."""
    data = graphs.add_constant(added) if data is None else data
    blob = artifact_store().receive([data], limit=len(data))
    model.last_number += 1
    model.save(update_fields=["last_number"])
    ready = status == VersionStatus.READY
    return ModelVersion.objects.create(
        model=model,
        number=model.last_number,
        status=status,
        sha256=blob.sha256,
        size=blob.size,
        signature=SIGNATURE if ready else None,
        report={
            "status": status,
            "code": "ready" if ready else "broken",
            "message": "",
            "facts": {"run_seconds": 1e-5},
        },
    )


def make_upload(owner: User | None, data: bytes = b"{}", project: Project | None = None) -> Upload:
    """A complete one of a single part, with its bytes in the store."""
    blob = artifact_store().receive([data], limit=len(data))
    upload = Upload.objects.create(
        project=project or make_project(),
        created_by=owner,
        file_name="model.onnx",
        size=blob.size,
        part_size=1 << 16,
        digest=blob.sha256,
        state=UploadState.COMPLETE,
    )
    UploadPart.objects.create(upload=upload, number=1, sha256=blob.sha256, size=blob.size)
    return upload


def make_endpoint(
    slug: str = "", *, n_versions: int = 2, promoted: int | None = 1, project: Project | None = None
) -> Endpoint:
    """Version n answers x + 10 n."""
    slug = slug or f"endpoint-{next(_numbers)}"
    model = make_model(slug, project)
    versions = [make_version(model, 10.0 * number) for number in range(1, n_versions + 1)]
    endpoint = create_endpoint(SYSTEM, model, slug)
    if promoted is not None:
        promote(SYSTEM, endpoint, versions[promoted - 1], reason="a test")
    return Endpoint.objects.get(pk=endpoint.pk)


def version_of(endpoint: Endpoint, number: int) -> ModelVersion:
    return ModelVersion.objects.select_related("model").get(model=endpoint.model, number=number)


def split(endpoint: Endpoint, weight_bp: int) -> Endpoint:
    """Version 1 as `stable`, and `weight_bp` of the traffic to version 2 as `canary`."""
    wanted = [
        WantedShare("stable", version_of(endpoint, 1), 10_000 - weight_bp),
        WantedShare("canary", version_of(endpoint, 2), weight_bp),
    ]
    set_split(SYSTEM, endpoint, wanted, reason="a test")
    return Endpoint.objects.get(pk=endpoint.pk)


def make_delivery(project: Project | None = None) -> Delivery:
    """A delivery that has failed, to a webhook of its own."""
    project = project or make_project()
    webhook, _secret = create_webhook(SYSTEM, project, url="https://hooks.example.org/a")
    notification = Notification.objects.create(project=project, event="rollout.held", subject="It holds")
    return Delivery.objects.create(notification=notification, webhook=webhook, state="failed", tries=6)


def make_rollout(endpoint: Endpoint, candidate: int = 2, **plan: Any) -> Rollout:
    """A rollout in its first stage: 10 percent to version 2, then 50, then all."""
    stages = [{"weight_bp": 1_000, "bake_seconds": 0, "n_min": 100}, {"weight_bp": 5_000, "bake_seconds": 0}]
    usual = {"candidate": candidate, "stages": stages, "holdback": None, "reason": "a test"}
    rollout = create_rollout(SYSTEM, endpoint, {**usual, **plan})
    if rollout.state != "draft":
        validate(rollout.pk)
    return Rollout.objects.select_related("endpoint", "stable", "candidate", "base_split").get(pk=rollout.pk)


def make_experiment(endpoint: Endpoint) -> Experiment:
    """Version 1 against version 2, by halves, on errors."""
    wish = {
        "name": "a test",
        "hypothesis": "Nothing changes.",
        "metric": "error",
        "direction": "decrease",
        "min_effect": 0.01,
        "planned_size": 1_000,
        "arms": [
            {"key": "control", "version": 1, "weight_bp": 5_000},
            {"key": "b", "version": 2, "weight_bp": 5_000},
        ],
    }
    return start_experiment(SYSTEM, endpoint, wish, reason="a test").experiment


def make_record(endpoint: Endpoint, **facts: Any) -> PredictionRecord:
    version = version_of(endpoint, 1)
    usual = {"request_id": "r-1", "variant": "stable", "at": timezone.now()}
    return PredictionRecord.objects.create(endpoint=endpoint, version=version, **{**usual, **facts})


def make_golden(model: RegisteredModel, added: float = 10.0, **facts: Any) -> GoldenRequest:
    """One that a version passes which answers x + `added`."""
    shape = {"shape": [1, 4], "datatype": "FP32"}
    usual = {
        "name": f"golden {next(_numbers)}",
        "request": {"inputs": [{"name": "x", **shape, "data": [1, 2, 3, 4]}]},
        "expected": [{"name": "y", **shape, "data": [value + added for value in (1, 2, 3, 4)]}],
    }
    return GoldenRequest.objects.create(model=model, **{**usual, **facts})


def make_golden_run(version: ModelVersion, n_failed: int = 0) -> GoldenRun:
    """Of the requests as they are now."""
    requests = list(golden_of(version.model))
    facts = {"set_digest": digest_of(requests), "n_requests": len(requests), "n_failed": n_failed}
    return GoldenRun.objects.create(version=version, occasion="asked", **facts)


def make_disagreement(rollout: Rollout) -> Disagreement:
    return Disagreement.objects.create(rollout=rollout, at=timezone.now(), kind=Disagreement.Kind.TOP1)


def make_replay(endpoint: Endpoint) -> ReplayRun:
    """One that has ended well."""
    versions = {"stable": version_of(endpoint, 1), "candidate": version_of(endpoint, 2)}
    source, state = ReplayRun.Source.CAPTURED, ReplayRun.State.PASSED
    return ReplayRun.objects.create(endpoint=endpoint, source=source, state=state, **versions)


def make_import(endpoint: Endpoint) -> Command:
    """A file of outcomes that was read to its end."""
    body = {"state": "done", "endpoint": endpoint.slug, "endpoint_id": endpoint.pk}
    return Command.objects.create(path=IMPORTS, key=str(uuid4()), digest="0" * 64, status=200, body=body)


def make_job(version: ModelVersion, endpoint: Endpoint | None = None, owner: User | None = None) -> BatchJob:
    """A job that has ended well, with an output of one row."""
    output, errors = (job_store().receive([data], limit=100) for data in (b"y\n1\n", b"row,reason\n"))
    now = timezone.now()
    return BatchJob.objects.create(
        project_id=version.model.project_id,
        version=version,
        endpoint=endpoint,
        format=BatchJob.Format.CSV,
        status=JobStatus.SUCCEEDED,
        file_name="rows.csv",
        input_sha256=hashlib.sha256(b"").hexdigest(),
        input_size=0,
        output_sha256=output.sha256,
        output_size=output.size,
        errors_sha256=errors.sha256,
        n_rows=1,
        n_done=1,
        created_by=owner,
        started_at=now,
        finished_at=now,
    )
