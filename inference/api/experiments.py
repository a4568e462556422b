"""`/api/v1/endpoints/{slug}/experiments` and `/api/v1/experiments/{id}`."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from inference.api.endpoints import IF_MATCH, epoch_of
from inference.api.serializers import ConvergedSerializer, ReasonInput
from inference.experiments.concluding import DEFAULT_PRESET, conclude
from inference.experiments.starting import start
from inference.experiments.words import breach_sentence, sentence_of
from inference.models import Experiment, ExperimentArm
from inference.selectors import experiments as selectors
from inference.selectors.endpoints import get_endpoint
from registry.api.base import ManagementView

# Of the stored findings what callers are told; the rest is the portal's own bookkeeping.
TOLD = ("code", "arm", "at", "arms", "srm_ln", "n_drawn", "n_dropped")


class ArmSerializer(serializers.ModelSerializer[ExperimentArm]):
    version = serializers.IntegerField(source="version.number")

    class Meta:
        model = ExperimentArm
        fields = ["key", "version", "weight_bp"]


class ExperimentSerializer(serializers.ModelSerializer[Experiment]):
    """`verdict.arms` holds each arm's keys and requests, its value, and the difference to the control as an interval.

    `verdict.srm_ln` is ln E against "the arms got the keys that their weights promise"; from ln 1000 on, nothing that
    the experiment found is to be trusted.
    """

    endpoint = serializers.CharField(source="endpoint.slug")
    arms = ArmSerializer(many=True)
    created_by = serializers.CharField(source="created_by.username", default=None)
    base_revision = serializers.IntegerField(source="base_split.revision")
    verdict = serializers.SerializerMethodField()
    winner = serializers.SerializerMethodField()
    rollout = serializers.SerializerMethodField()

    class Meta:
        model = Experiment
        fields = [
            "id",
            "endpoint",
            "name",
            "hypothesis",
            "metric",
            "direction",
            "min_effect",
            "planned_size",
            "arms",
            "guardrails",
            "assignment",
            "salt",
            "state",
            "lock_version",
            "verdict",
            "winner",
            "rollout",
            "base_revision",
            "reason",
            "conclusion",
            "created_by",
            "created_at",
            "started_at",
            "ended_at",
        ]

    def get_verdict(self, experiment: Experiment) -> dict[str, Any]:
        found = experiment.verdict
        breaches = [{**breach, "sentence": breach_sentence(experiment, breach)} for breach in found.get("breaches", [])]
        told = {"code": "undecided", **{name: found[name] for name in TOLD if name in found}}
        return {**told, "sentence": sentence_of(experiment), "breaches": breaches}

    def get_winner(self, experiment: Experiment) -> str | None:
        chosen: str | None = experiment.verdict.get("chosen")
        return chosen

    def get_rollout(self, experiment: Experiment) -> int | None:
        begun: int | None = experiment.verdict.get("rollout")
        return begun


class ConcludedSerializer(ExperimentSerializer):
    converged = serializers.SerializerMethodField()

    class Meta(ExperimentSerializer.Meta):
        fields = [*ExperimentSerializer.Meta.fields, "converged"]

    @extend_schema(responses=ConvergedSerializer)
    def get_converged(self, experiment: Experiment) -> dict[str, Any]:
        converged: dict[str, Any] = self.context["converged"].as_json()
        return converged


class ArmInput(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=32, trim_whitespace=False)
    version = serializers.IntegerField(min_value=1)
    weight_bp = serializers.IntegerField(min_value=0, max_value=10_000)


class ExperimentInput(ReasonInput):
    """`arms` begins with the control, which has to be live; the weights are basis points and sum to 10 000.

    `min_effect` is the least difference that matters, in units of the metric: a share, seconds, or a reward. What the
    key is says `assignment`, by default the header X-Routing-Key.
    """

    name = serializers.CharField(max_length=128)
    hypothesis = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    metric = serializers.ChoiceField(Experiment.Metric.choices)
    direction = serializers.ChoiceField(Experiment.Direction.choices, required=False)
    min_effect = serializers.FloatField()
    planned_size = serializers.IntegerField(required=False)
    arms = ArmInput(many=True)
    guardrails = serializers.JSONField(required=False)
    assignment = serializers.JSONField(required=False)


class ConcludeInput(ReasonInput):
    """`winner` null stops the experiment. Another arm than the control goes on by a rollout with the preset named."""

    winner = serializers.CharField(allow_null=True, max_length=32)
    rollout = serializers.CharField(required=False, default=DEFAULT_PRESET, max_length=20)
    lock_version = serializers.IntegerField(required=False, allow_null=True, default=None)


class ExperimentFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=Experiment.State.choices)

    class Meta:
        model = Experiment
        fields: list[str] = []


class ExperimentList(ManagementView, ListAPIView[Experiment]):
    actions = {"GET": "experiment.view", "POST": "experiment.operate"}
    serializer_class = ExperimentSerializer
    filterset_class = ExperimentFilter
    queryset = Experiment.objects.none()

    def get_queryset(self) -> QuerySet[Experiment]:
        return selectors.experiments_of(self.principal, get_endpoint(self.principal, self.kwargs["slug"]))

    @extend_schema(request=ExperimentInput, responses={201: ExperimentSerializer}, parameters=[IF_MATCH])
    def post(self, request: Request, slug: str) -> Response:
        endpoint, wish = get_endpoint(self.principal, slug), self.checked(ExperimentInput, request)
        reason = wish.pop("reason")
        started = start(self.principal, endpoint, wish, reason=reason, epoch=epoch_of(request))
        made = selectors.get_experiment(self.principal, started.experiment.pk)
        headers = {"Location": f"/api/v1/experiments/{made.pk}"}
        return Response(ExperimentSerializer(made).data, status=status.HTTP_201_CREATED, headers=headers)


class ExperimentDetail(ManagementView):
    actions = {"GET": "experiment.view"}
    serializer_class = ExperimentSerializer

    def get(self, request: Request, experiment_id: int) -> Response:
        return Response(ExperimentSerializer(selectors.get_experiment(self.principal, experiment_id)).data)


class ExperimentConclude(ManagementView):
    actions = {"POST": "experiment.operate"}
    serializer_class = ConcludedSerializer

    @extend_schema(request=ConcludeInput, responses=ConcludedSerializer)
    def post(self, request: Request, experiment_id: int) -> Response:
        experiment = selectors.get_experiment(self.principal, experiment_id)
        asked = self.checked(ConcludeInput, request)
        done = conclude(
            self.principal,
            experiment,
            winner=asked["winner"],
            reason=asked["reason"],
            preset=asked["rollout"],
            lock_version=asked["lock_version"],
        )
        now = selectors.get_experiment(self.principal, experiment_id)
        return Response(ConcludedSerializer(now, context={"converged": done.switched.converged}).data)
