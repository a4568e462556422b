"""Stages moved by several callers at once."""

from __future__ import annotations

from threading import Thread

import pytest
from django.db import connection

from registry.access.principal import SYSTEM
from registry.mlflow.stages import move
from registry.models import ModelAlias, ModelVersion
from tests import factories


def moves(version: ModelVersion, failed: list[BaseException]) -> None:
    try:
        for n in range(30):
            move(SYSTEM, ModelVersion.objects.select_related("model").get(pk=version.pk), STAGES[n % 2], False)
    except Exception as error:
        failed.append(error)
    finally:
        connection.close()


STAGES = ("Staging", "Production")


@pytest.mark.django_db(transaction=True)
def test_move__two_versions_at_once__one_after_the_other() -> None:
    model = factories.make_model("busy")
    failed: list[BaseException] = []
    threads = [Thread(target=moves, args=(factories.make_version(model, added), failed)) for added in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    # Whoever came last has left Staging for Production, and taken it from the other.
    assert list(ModelAlias.objects.values_list("name", flat=True)) == ["Production"]
