"""What the record says of an edit: the values before and after, and nothing that breaks its chain."""

from __future__ import annotations

import pytest

from registry.access.principal import SYSTEM
from registry.models import AuditEvent
from registry.services import audit
from registry.services.catalog import edit_model
from registry.services.edits import difference
from registry.services.tagging import tag_version
from registry.services.versions import edit_version
from tests import factories

pytestmark = pytest.mark.django_db


def changes_of(action: str) -> dict[str, object]:
    return dict(AuditEvent.objects.filter(action=action).latest("id").details["changes"])


def test_edit_version__metrics__each_that_changed_with_its_value_before() -> None:
    version = factories.make_version(factories.make_model())
    edit_version(SYSTEM, version, {"metrics": {"accuracy": 0.5, "n": 3, "loss": 1e299}})
    edit_version(SYSTEM, version, {"metrics": {"accuracy": 0.75, "n": 3, "auc": -0.0}})
    assert changes_of("version.edited") == {
        "metrics": {
            "accuracy": {"from": 0.5, "to": 0.75},
            "auc": {"from": None, "to": "-0.0"},
            "loss": {"from": 10**299, "to": None},
        }
    }
    assert audit.verify_chain().first_broken is None


def test_tag_version__one_tag__that_one_alone() -> None:
    version = factories.make_version(factories.make_model())
    tag_version(SYSTEM, version, {"team": "risk", "stage": "old"})
    tag_version(SYSTEM, version, {"team": "fraud"})
    assert changes_of("version.edited") == {"tags": {"team": {"from": "risk", "to": "fraud"}}}


def test_edit_model__card__its_beginning_before_and_after() -> None:
    model = factories.make_model()
    edit_model(SYSTEM, model, {"description": "x" * 1_000, "tags": {}})
    assert changes_of("model.edited") == {"description": {"from": "", "to": "x" * 200 + "…"}}
    edit_model(SYSTEM, model, {"description": "x" * 1_000})
    assert changes_of("model.edited") == {}


def test_difference__nothing_changed__empty() -> None:
    assert difference({"tags": {"a": "b"}, "description": "c"}, {"tags": {"a": "b"}, "description": "c"}) == {}
