from __future__ import annotations

import pytest

from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, ModelAlias, RegisteredModel, VersionStatus
from registry.services.aliases import delete_alias, set_alias
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> RegisteredModel:
    made = factories.make_model()
    for number in (1, 2):
        factories.make_version(made, 10.0 * number)
    return made


def version(model: RegisteredModel, number: int) -> object:
    return model.versions.select_related("model").get(number=number)


def test_set_alias__moved__one_row_and_each_move_recorded(model: RegisteredModel) -> None:
    for number in (1, 2, 2):
        set_alias(SYSTEM, version(model, number), "champion")  # type: ignore[arg-type]
    assert [(alias.name, alias.version.number) for alias in model.aliases.all()] == [("champion", 2)]
    details = AuditEvent.objects.filter(action="alias.set").order_by("id").values_list("details", flat=True)
    assert list(details) == [{"from": None, "to": 1}, {"from": 1, "to": 2}]


@pytest.mark.parametrize("name", ["", "latest", "v1", "v12", "a b", "../x", "<b>", "x" * 65, "a\n"])
def test_set_alias__bad_name__refused(model: RegisteredModel, name: str) -> None:
    with pytest.raises(InvalidInput):
        set_alias(SYSTEM, version(model, 1), name)  # type: ignore[arg-type]
    assert not ModelAlias.objects.exists()


def test_set_alias__version_not_ready__conflict(model: RegisteredModel) -> None:
    rejected = factories.make_version(model, 3.0, VersionStatus.REJECTED)
    with pytest.raises(Conflict):
        set_alias(SYSTEM, rejected, "champion")


def test_alias__viewer__may_not(model: RegisteredModel) -> None:
    bob = factories.principal("bob", "viewer")
    set_alias(SYSTEM, version(model, 1), "champion")  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        set_alias(bob, version(model, 2), "champion")  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        delete_alias(bob, model, "champion")
    assert model.aliases.get().version.number == 1


def test_delete_alias__missing__not_found(model: RegisteredModel) -> None:
    set_alias(SYSTEM, version(model, 1), "champion")  # type: ignore[arg-type]
    delete_alias(SYSTEM, model, "champion")
    with pytest.raises(NotFound):
        delete_alias(SYSTEM, model, "champion")
    assert AuditEvent.objects.filter(action="alias.deleted").count() == 1
