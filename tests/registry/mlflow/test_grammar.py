"""MLflow's filters, as its client writes them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.lib.errors import InvalidInput
from registry.mlflow.grammar import Clause, Name, clauses, order


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("name = 'iris'", [(("attribute", "name"), "=", ("iris",))]),
        (
            "name LIKE 'a%' and tags.team != 'x'",
            [(("attribute", "name"), "LIKE", ("a%",)), (("tag", "team"), "!=", ("x",))],
        ),
        ("tag.`mlflow.prompt.is_prompt` != 'true'", [(("tag", "mlflow.prompt.is_prompt"), "!=", ("true",))]),
        ("tags.mlflow.runName='x'", [(("tag", "mlflow.runName"), "=", ("x",))]),
        ("metrics.\"a b\" >= -1.5e3", [(("metric", "a b"), ">=", ("-1.5e3",))]),
        ("attributes.run_id IN ('a','b')", [(("attribute", "run_id"), "IN", ("a", "b"))]),
        ("version_number NOT IN (1, 2)", [(("attribute", "version_number"), "NOT IN", ("1", "2"))]),
        ("name = 'it''s \"AND\"'", [(("attribute", "name"), "=", ("it's \"AND\"",))]),
        ("params.x IS NOT NULL", [(("param", "x"), "IS NOT NULL", ())]),
        ("  ", []),
    ],
)  # fmt: skip
def test_clauses__as_clients_write_them(text: str, wanted: list[object]) -> None:
    assert clauses(text) == [Clause(Name(*name), operator, values) for name, operator, values in wanted]  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    ["name", "name =", "= 'x'", "name = 'x", "name = x", "name = 'a' OR name = 'b'", "name = 'a' AND", "nope.x = 'a'",
     "name IN ('a'", "name IN 'a'", "name ; DROP", "name = 'a'; DROP TABLE x", "name=" + "'x' AND name=" * 40 + "'x'"],
)  # fmt: skip
def test_clauses__cannot_be_read__says_so(text: str) -> None:
    with pytest.raises(InvalidInput):
        clauses(text)


@given(st.text(max_size=60))
def test_clauses__any_text__read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        clauses(text)


def test_order__direction_and_quotes() -> None:
    assert order("metrics.`a b` desc") == (Name("metric", "a b"), True)
    assert order("name") == (Name("attribute", "name"), False)
    for text in ("name SIDEWAYS", "nope.x", "", "; DROP"):
        with pytest.raises(InvalidInput, match="is no order"):
            order(text)
