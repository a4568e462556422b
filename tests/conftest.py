"""What every test shares. The stores come from the environment: `python3 manage.py test` starts them."""

from __future__ import annotations

import os

import pytest

from tests.clearing import quick_clearing

__all__ = ["quick_clearing"]


def pytest_configure() -> None:
    if "DATABASE_URL" not in os.environ:
        pytest.exit(
            "The tests need their stores. Start them with: python3 manage.py test [pytest arguments]", returncode=2
        )
