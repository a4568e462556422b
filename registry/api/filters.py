"""What lists can be narrowed by, in the query string. Only these names reach the ORM."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet

from registry.models import AuditEvent, ModelVersion, RegisteredModel, VersionStatus
from registry.search.models import search_models


class ModelFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(method="filter_search", help_text="Words and terms: see docs/models.md.")
    project = django_filters.CharFilter(field_name="project__slug")
    order = django_filters.OrderingFilter(fields=["name", "created_at", "updated_at"])

    class Meta:
        model = RegisteredModel
        fields: list[str] = []

    def filter_search(self, models: QuerySet[RegisteredModel], _name: str, text: str) -> QuerySet[RegisteredModel]:
        return search_models(models, text)


class VersionFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=VersionStatus.choices)

    class Meta:
        model = ModelVersion
        fields: list[str] = []


class AuditFilter(django_filters.FilterSet):
    action = django_filters.CharFilter(field_name="action", lookup_expr="startswith")
    actor = django_filters.CharFilter(field_name="actor_name")
    object_type = django_filters.CharFilter(field_name="object_type")
    object_name = django_filters.CharFilter(field_name="object_name")
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEvent
        fields: list[str] = []
