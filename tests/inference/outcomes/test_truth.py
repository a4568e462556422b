"""Predictions against labels."""

from __future__ import annotations

from typing import Any

import pytest

from inference.outcomes.truth import is_wrong


@pytest.mark.parametrize(
    ("prediction", "label", "expected"),
    [
        (3, 3, False),
        (3, 4, True),
        (3, 3.0, False),
        (0.1 + 0.2, 0.3, False),
        (0.3, 0.300001, True),
        (0, 1e-10, False),
        ("cat", "cat", False),
        ("cat", "Cat", True),
        ("cat ", "cat", True),
        (True, True, False),
        (True, 1, False),
        (True, False, True),
        (3, "3", False),
        ("3", 3, False),
        ("03", 3, True),
        (3, "cat", True),
        ([1, 2], [1, 2], False),
        ([1, 2], [2, 1], True),
        ([1, 2], [1], True),
        ([3], 3, False),
        (3, [3], False),
        ([[1, 2]], [1, 2], False),
        ([1, 2], 1, True),
        (None, 1, None),
        (1, None, None),
    ],
)
def test_is_wrong__prediction_and_label__as_people_would_say(
    prediction: Any, label: Any, expected: bool | None
) -> None:
    assert is_wrong(prediction, label) is expected
