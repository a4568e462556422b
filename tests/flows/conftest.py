"""One running portal for all stories: alice operates, bob is a viewer, charlie is no member and must see nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests import graphs
from tests.flows.portal import ALL_SCOPES, Client, Portal, running

PEOPLE = """
from registry.models import Membership, Project, User
project = Project.objects.get(slug="default")
names = ("alice", "bob", "charlie")
alice, bob, charlie = (User.objects.create_user(name, password="a-long-passw0rd") for name in names)
Membership.objects.create(project=project, user=alice, role="operator")
Membership.objects.create(project=project, user=bob, role="viewer")
"""
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/flows/" in item.nodeid:
            item.add_marker("flow")


@pytest.fixture(scope="package")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with running(tmp_path_factory.mktemp("flows") / "data") as started:
        started.manage("shell", "-v", "0", "-c", PEOPLE)
        yield started


@pytest.fixture(scope="package")
def admin(portal: Portal) -> Client:
    return portal.client(portal.create_token("admin", *ALL_SCOPES))


@pytest.fixture(scope="package")
def alice(portal: Portal) -> Client:
    return portal.client(portal.create_token("alice", *ALL_SCOPES))


@pytest.fixture(scope="package")
def bob(portal: Portal) -> Client:
    return portal.client(portal.create_token("bob", *ALL_SCOPES))


@pytest.fixture(scope="package")
def charlie(portal: Portal) -> Client:
    return portal.client(portal.create_token("charlie", *ALL_SCOPES))


@pytest.fixture
def name() -> str:
    """A model's or endpoint's name that no other test has."""
    return f"story-{next(_numbers)}"


@pytest.fixture
def served(alice: Client, name: str) -> str:
    """An endpoint whose version 1 answers x + 10 and takes all traffic; version 2 answers x + 20 and is ready."""
    return alice.serve(name, graphs.add_constant(10.0), graphs.add_constant(20.0))
