"""What the lists of this app can be narrowed by. Only these names reach the ORM."""

from __future__ import annotations

import django_filters

from inference.models import Endpoint


class EndpointFilter(django_filters.FilterSet):
    search = django_filters.CharFilter(field_name="slug", lookup_expr="icontains")
    model = django_filters.CharFilter(field_name="model__name")
    project = django_filters.CharFilter(field_name="project__slug")
    order = django_filters.OrderingFilter(fields=["slug", "created_at"])

    class Meta:
        model = Endpoint
        fields: list[str] = []
