"""docs/rejections.md holds every case that the tests go through, and none besides; each test compares its own row."""

from __future__ import annotations

import pytest

from tests.rejections import ENDINGS, assert_documented, cases, documented


def test_rejections__page__exactly_the_cases_of_the_tests() -> None:
    assert list(documented()) == [(kind, name) for kind, names in cases().items() for name in names]


@pytest.mark.parametrize("name", ENDINGS)
def test_rejections__whatever_is_in_the_file__the_code_and_a_sentence(name: str) -> None:
    ending, code = ENDINGS[name]
    assert ending().code == code
    assert_documented("endings", name, ending())
