"""Fixtures that several folders share; each folder's conftest names the ones it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.test import override_settings

from inference.models import ServingProcess
from inference.serving import blocking
from inference.serving import follower as following
from inference.serving.follower import Follower


@pytest.fixture
def serving(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Follower]]:
    """This process's follower without its thread: each call takes what has changed, on the test's own connection."""
    made = Follower()
    monkeypatch.setattr(following, "_follower", made)
    # It would close the test's own connection, which stands in a transaction.
    monkeypatch.setattr(blocking, "close_old_connections", lambda: None)

    def follow() -> Follower:
        while True:
            made._tick()
            if not made._loads:
                break
        # The transaction's clock stands still: a lease that never ends must not keep writers waiting.
        ServingProcess.objects.filter(pk=made.id).delete()
        made.lease_until = float("inf")
        return made

    yield follow
    made._loader.shutdown()


@pytest.fixture(scope="session", autouse=True)
def plain_static_files() -> Iterator[None]:
    """Pages can be rendered without collected static files."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield
