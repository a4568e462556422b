"""Models and migrations agree, and each app has one line of migrations."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

OWN_APPS = ("registry", "inference")


def test_models__no_change_without_a_migration(db: None) -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.mark.parametrize("app", OWN_APPS)
def test_migrations__one_line_per_app(app: str, db: None) -> None:
    loader = MigrationLoader(connection)
    assert len(loader.graph.leaf_nodes(app)) == 1
    names = sorted(name for label, name in loader.disk_migrations if label == app)
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_system_checks__nothing_to_say(db: None) -> None:
    call_command("check", "--fail-level", "WARNING", verbosity=0)
