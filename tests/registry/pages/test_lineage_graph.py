from __future__ import annotations

from registry.pages.lineage_graph import Row, graph_of, width_of


def test_graph__a_chain__stays_in_one_lane() -> None:
    rows = graph_of([(3, 2), (2, 1), (1, None)])
    assert rows == [
        Row(3, 0, (), (), True, ()),
        Row(2, 0, (), (0,), True, (3,)),
        Row(1, 0, (), (0,), False, (2,)),
    ]
    assert width_of(rows) == 1


def test_graph__two_made_from_one__run_beside_each_other_and_end_in_it() -> None:
    rows = graph_of([(4, 2), (3, 2), (2, None), (1, None)])
    assert [(row.number, row.lane, row.passing, row.ending) for row in rows] == [
        (4, 0, (), ()),
        (3, 1, (0,), ()),
        (2, 0, (), (0, 1)),
        (1, 0, (), ()),
    ]
    assert rows[2].children == (3, 4)
    assert width_of(rows) == 2


def test_graph__a_parent_that_is_no_older__draws_no_line() -> None:
    assert [row.has_parent for row in graph_of([(2, 2), (1, 5)])] == [False, False]


def test_graph__a_parent_that_is_gone__keeps_its_line_to_the_bottom() -> None:
    rows = graph_of([(5, 3), (4, None), (2, None)])
    assert [row.passing for row in rows] == [(), (0,), (0,)]


def test_graph__nothing__is_one_lane_wide() -> None:
    assert width_of(graph_of([])) == 1
