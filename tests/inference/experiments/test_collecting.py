"""Windows to keys: each counted once, and every sum exact."""

from __future__ import annotations

import pytest

from inference.experiments.collecting import collect
from inference.experiments.deciding import look
from inference.models import EvidenceWindow, Experiment, ExposedUnit
from tests.inference.experiments.made import PROCESS, counted, endpoint, keys, running, window

pytestmark = pytest.mark.django_db


def sums(experiment: Experiment) -> list[tuple[object, ...]]:
    rows = ExposedUnit.objects.filter(experiment=experiment).order_by("variant", "unit")
    return list(rows.values_list("variant", "unit", "n", "n_bad", "seconds"))


def test_collect__windows_of_two_batches__adds_up_each_key() -> None:
    experiment = running()
    big = -(2**63)
    window(experiment, "control", [[big, 2, 0, 0.5], [7, 1, 1, 0.25]])
    window(experiment, "control", [[big, 3, 1, 0.25]])
    assert collect(experiment) == (2, 0, 0, 2)
    window(experiment, "control", [[7, 4, 0, 1.0]])
    window(experiment, "b", [[9, 1, 0, 0.125]])
    assert collect(experiment) == (2, 0, 0, 2)
    assert sums(experiment) == [
        ("b", 9, 1, 0, 0.125),
        ("control", big, 5, 1, 0.75),
        ("control", 7, 5, 1, 1.25),
    ]
    assert list(EvidenceWindow.objects.order_by("pk").values_list("taken", flat=True)) == [1, 1, 2, 2]


def test_collect__nothing_new__is_no_batch() -> None:
    experiment = running()
    window(experiment, "b", keys(3))
    collect(experiment)
    assert collect(experiment) == (0, 0, 0, 0)
    assert Experiment.objects.get().seq == 1


def test_collect__answers_without_a_key__are_counted_beside_and_are_no_units() -> None:
    experiment = running()
    window(experiment, "b", [[1, 1, 0, 0.1]], details={"units_dropped": 4})
    window(experiment, "b", [[2, 9, 0, 0.1]], n_drawn=30)
    look(experiment.pk)
    window(experiment, "control", [], n_drawn=12)
    looked = look(experiment.pk)
    assert looked is not None
    assert (looked.verdict["n_drawn"], looked.verdict["n_dropped"]) == (42, 4)
    assert [row[:3] for row in sums(experiment)] == [("b", 1, 1)]


def test_collect__another_experiment__keeps_its_windows() -> None:
    one, other = running(endpoint("one")), running(endpoint("other"))
    window(one, "b", keys(2))
    window(other, "b", keys(5))
    assert collect(one).n_units == 2
    assert ExposedUnit.objects.filter(experiment=other).count() == 0
    assert collect(other).n_units == 5


def test_collect__experiment_ended_a_moment_ago__still_takes_what_comes_late() -> None:
    from inference.experiments.concluding import stop
    from inference.experiments.deciding import due
    from registry.access.principal import SYSTEM

    experiment = counted(running(), control=(3, 0), b=(3, 0))
    stop(SYSTEM, experiment, reason="enough")
    assert due() == [experiment.pk]
    window(experiment, "b", keys(2, first=99))
    look(experiment.pk)
    now = Experiment.objects.get()
    assert [arm["n_units"] for arm in now.verdict["arms"]] == [3, 5]
    assert (now.state, now.verdict["chosen"]) == ("stopped", None)


def test_collect__same_process__is_this_one() -> None:
    """The rows that these tests make are unique as the real ones are."""
    experiment = running()
    window(experiment, "b", keys(1))
    window(experiment, "b", keys(1))
    assert EvidenceWindow.objects.filter(process=PROCESS, split__experiment=experiment).count() == 2
