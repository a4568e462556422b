from __future__ import annotations

import pytest

from inference.monitoring.observe import Observations
from inference.monitoring.tally import Served


@pytest.fixture
def seen() -> Observations:
    """Counts of this test alone."""
    return Observations()


@pytest.fixture
def stable() -> Served:
    return Served(1, "shop", 11, 3, "stable")
