from __future__ import annotations

from typing import Any

import pytest

from portal.lib.errors import InvalidInput
from registry.models import ModelVersion
from registry.services.lineage import check_lineage
from tests import factories

pytestmark = pytest.mark.django_db


def test_lineage__all_that_it_takes__is_kept_trimmed_and_without_what_is_empty() -> None:
    model = factories.make_model()
    factories.make_version(model)
    said = {
        "parent": 1,
        "run": {"id": " 9f2c ", "name": "", "url": "https://t.example.org/9f2c", "experiment": None},
        "data": "claims of March",
        "code": "",
    }
    assert check_lineage(model, said) == {
        "parent": 1,
        "run": {"id": "9f2c", "url": "https://t.example.org/9f2c"},
        "data": "claims of March",
    }
    assert check_lineage(model, {}) == {}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ([], "has to be an object"),
        ("parent", "has to be an object"),
        ({"mother": 1}, "no key “mother”: it takes parent, run, data, code"),
        ({"parent": 2}, "number of another version"),
        ({"parent": 3}, "number of another version"),
        ({"parent": "1"}, "number of another version"),
        ({"parent": True}, "number of another version"),
        ({"parent": 1.0}, "number of another version"),
        ({"parent": 10**30}, "number of another version"),
        ({"run": "9f2c"}, "“lineage.run” has to be an object"),
        ({"run": {"ident": "x"}}, "“lineage.run” has no key “ident”"),
        ({"run": {"id": 5}}, "“lineage.run.id” has to be text"),
        ({"run": {"url": "javascript:alert(1)"}}, "begin with https:// or http://"),
        ({"run": {"url": "//evil.example"}}, "begin with https:// or http://"),
        ({"run": {"url": "http://[::1"}}, "begin with https:// or http://"),
        ({"data": "x" * 2001}, "at most 2000 characters"),
        ({"code": "a\x00b"}, "“lineage.code” has to be text"),
    ],
)
def test_lineage__what_is_wrong__is_named(said: Any, sentence: str) -> None:
    model = factories.make_model()
    factories.make_version(model, 1.0)
    gone = factories.make_version(model, 2.0)
    ModelVersion.objects.filter(pk=gone.pk).update(deleted_at="2026-01-01T00:00Z")
    with pytest.raises(InvalidInput) as raised:
        check_lineage(model, said)
    assert (raised.value.code, raised.value.details) == ("invalid_lineage", {"field": "lineage"})
    assert sentence in raised.value.message
