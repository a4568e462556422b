from __future__ import annotations

import pytest

from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound
from registry.access.principal import SYSTEM
from registry.models import AuditEvent, RegisteredModel
from registry.services.deletion import delete_model
from registry.services.renaming import rename_model
from tests import factories

pytestmark = pytest.mark.django_db


def test_rename__versions_go_along_and_it_is_recorded() -> None:
    model = factories.make_model("iris")
    factories.make_version(model)
    renamed = rename_model(SYSTEM, model, "rose")
    assert (renamed.name, renamed.versions.count()) == ("rose", 1)
    assert AuditEvent.objects.get(action="model.renamed").details == {"from": "iris", "to": "rose"}


def test_rename__deleted_meanwhile__not_found_and_its_name_stays() -> None:
    model = factories.make_model("iris")
    delete_model(SYSTEM, RegisteredModel.objects.get(pk=model.pk))
    with pytest.raises(NotFound, match=r"There is no model “iris”\."):
        rename_model(SYSTEM, model, "rose")
    assert RegisteredModel.objects.get(pk=model.pk).name == "iris"


def test_rename__renamed_meanwhile__the_record_says_from_which_name() -> None:
    model = factories.make_model("iris")
    rename_model(SYSTEM, RegisteredModel.objects.get(pk=model.pk), "rose")
    rename_model(SYSTEM, model, "tulip")
    details = AuditEvent.objects.filter(action="model.renamed").order_by("id").values_list("details", flat=True)
    assert list(details) == [{"from": "iris", "to": "rose"}, {"from": "rose", "to": "tulip"}]


def test_rename__taken_forbidden_or_not_ones_own__refused() -> None:
    model = factories.make_model("iris")
    factories.make_model("rose")
    for name, error in (("rose", Conflict), ("a:b", InvalidInput), ("compare", InvalidInput)):
        with pytest.raises(error):
            rename_model(SYSTEM, model, name)
    with pytest.raises(NotAllowed):
        rename_model(factories.principal("bob", "viewer"), model, "tulip")
    assert not AuditEvent.objects.exists()
