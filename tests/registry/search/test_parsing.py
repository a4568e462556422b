from __future__ import annotations

import pytest

from portal.lib.errors import InvalidInput
from registry.search.parsing import Term, parse


@pytest.mark.parametrize(
    ("text", "words", "terms"),
    [
        ("", [], []),
        ('fraud "two words"', ["fraud", "two words"], []),
        ("tag:team", [], [Term("tag", name="team")]),
        ("tag:team=risk", [], [Term("tag", "risk", "team", "exact")]),
        ("tag:team=", [], [Term("tag", "", "team", "exact")]),
        ('tag:"cost centre"="north east"', [], [Term("tag", "north east", "cost centre", "exact")]),
        ('tag:"a=b"=c', [], [Term("tag", "c", "a=b", "exact")]),
        ("metric:auc", [], [Term("metric", name="auc")]),
        ("metric:accuracy>=0.9", [], [Term("metric", name="accuracy", operator="gte", number=0.9)]),
        ("metric:log_loss<-1e-3", [], [Term("metric", name="log_loss", operator="lt", number=-0.001)]),
        ("METRIC:auc=1", [], [Term("metric", name="auc", operator="exact", number=1.0)]),
        ("owner:anna x", ["x"], [Term("owner", "anna")]),
        ('"tag:x"', ["tag:x"], []),
        ("10:30", ["10:30"], []),
    ],
)
def test_parse__words_and_terms__are_told_apart(text: str, words: list[str], terms: list[Term]) -> None:
    found = parse(text)
    assert (found.words, found.terms) == (words, terms)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('"open', "A double quote is open"),
        ("colour:red", "nothing to search for by “colour:”"),
        ("https://example.org", "put the words into double quotes"),
        ("owner:", "Say what to look for after “owner:”"),
        ('tag:""', "Say what to look for after “tag:”"),
        ("metric:auc>high", "compares with no number"),
        ("metric:auc>nan", "compares with no number"),
        ("metric:auc>", "compares with no number"),
        ("a " * 13, "more than 12 terms"),
    ],
)
def test_parse__what_makes_no_sense__is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse(text)
    assert raised.value.code == "invalid_search"
    assert sentence in raised.value.message
