"""A person releases: with the right, with a reason, once; what was before counts no longer."""

from __future__ import annotations

import pytest

from inference.endpoints.switching import promote
from inference.models import Endpoint, Quarantine, RoutingState
from inference.quarantine.services import quarantine, record_death, release
from inference.selectors.quarantines import active_quarantines, counted_deaths, is_quarantined
from portal.lib.errors import Conflict, InvalidInput, NotAllowed, NotFound
from registry.access.principal import SYSTEM
from registry.models import AuditEvent
from tests import factories
from tests.factories import version_of
from tests.inference.quarantine.killed import death_of, kill

pytestmark = pytest.mark.django_db


def test_release__operator__free_again_recorded_and_published() -> None:
    endpoint = factories.make_endpoint("shop", promoted=1)
    version = version_of(endpoint, 2)
    kill(version)
    olga = factories.principal("olga", "operator")
    row = release(olga, version, "the file was not at fault")
    assert (row.released_by_id, row.release_reason) == (olga.user_id, "the file was not at fault")
    assert not is_quarantined(version)
    event = AuditEvent.objects.get(action="version.released")
    assert (event.object_name, event.actor_name, event.reason) == ("shop v2", "olga", "the file was not at fault")
    now = Endpoint.objects.get(pk=endpoint.pk)
    assert now.changed_sequence == RoutingState.objects.get().sequence
    promote(SYSTEM, now, version, reason="again")
    assert Endpoint.objects.get(pk=endpoint.pk).epoch == 2


def test_release__then_another_death__older_ones_count_no_longer() -> None:
    version = factories.make_version(factories.make_model())
    kill(version)
    release(SYSTEM, version, "try again")
    record_death(death_of(version))
    assert not is_quarantined(version)
    assert counted_deaths().filter(version=version).count() == 1
    record_death(death_of(version))
    assert is_quarantined(version)
    assert Quarantine.objects.filter(version=version).count() == 2


def test_release__not_quarantined__conflict() -> None:
    version = factories.make_version(factories.make_model())
    with pytest.raises(Conflict) as caught:
        release(SYSTEM, version, "why not")
    assert caught.value.code == "not_quarantined"
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("reason", ["", "  ", "a\x00b"])
def test_release__no_proper_reason__refused(reason: str) -> None:
    version = factories.make_version(factories.make_model())
    quarantine(version, "a test")
    with pytest.raises(InvalidInput) as caught:
        release(SYSTEM, version, reason)
    assert caught.value.code == "reason_required"
    assert is_quarantined(version)


@pytest.mark.parametrize(("role", "error"), [("viewer", NotAllowed), ("data_scientist", NotAllowed), (None, NotFound)])
def test_release__no_right__refused(role: str | None, error: type[Exception]) -> None:
    version = factories.make_version(factories.make_model())
    quarantine(version, "a test")
    with pytest.raises(error):
        release(factories.principal("bob", role), version, "x")
    assert is_quarantined(version)


def test_active__other_projects__not_seen() -> None:
    mine = factories.make_version(factories.make_model("mine"))
    foreign = factories.make_version(factories.make_model("foreign", factories.make_project("other")), 3.0)
    for version in (mine, foreign):
        kill(version)
    bob = factories.principal("bob", "viewer")
    assert [str(row.version) for row in active_quarantines(bob)] == ["mine v1"]
    assert [str(row.version) for row in active_quarantines(SYSTEM)] == ["foreign v1", "mine v1"]
    assert [len(row.version.counted_deaths) for row in active_quarantines(bob)] == [2]
