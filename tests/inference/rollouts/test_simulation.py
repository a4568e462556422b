"""Small seeded versions of the table that `simulate_rollouts` prints: the bounds are wide, but harm done to the rules,
the gates or the traffic moves these figures past them.
"""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from django.core.management import call_command

from inference.analysis.guardrails import NOTHING
from inference.rollouts.machine import Plan, Stage, State
from inference.rollouts.simulation.course import Course
from inference.rollouts.simulation.figures import figures_of
from inference.rollouts.simulation.moving import growing
from inference.rollouts.simulation.rows import ROWS, Row, preset, stuck
from inference.rollouts.simulation.runs import Run, run_many
from inference.rollouts.simulation.traffic import Tick, Traffic, ticks


def row(name: str) -> Row:
    return next(one for one in ROWS if one.name == name)


def runs_of(name: str, n: int) -> list[Run]:
    found = row(name)
    return run_many(n, 3, found.plan, found.traffic)


def median(runs: list[Run]) -> float:
    assert all(run.rolled_back for run in runs)
    return float(np.median([run.n_canary or run.n_pairs for run in runs]))


@pytest.mark.parametrize("name", ["harmless-50-one", "harmless-1000", "slower-8"])
def test_run__harmless_candidate__promoted(name: str) -> None:
    runs = runs_of(name, 30)
    assert sum(run.rolled_back for run in runs) <= 2
    assert sum(run.state is State.PROMOTED for run in runs) >= 28
    assert not any(run.code == "evidence" for run in runs)


def test_run__harmless_candidate__flagger_goes_back_where_evidence_does_not() -> None:
    runs = runs_of("harmless-50-one", 30)
    assert sum(run.rivals["Flagger"] is not None for run in runs) >= 25


def test_run__ten_times_the_errors__rolled_back_after_hundreds() -> None:
    assert 350 <= median(runs_of("errors-10x", 60)) <= 850


def test_run__always_fails__rolled_back_after_a_handful() -> None:
    runs = runs_of("always-fails", 60)
    assert 3 <= median(runs) <= 5
    assert max(run.n_canary for run in runs) <= 12


def test_run__all_answers_slower__rolled_back_after_hundreds() -> None:
    assert 150 <= median(runs_of("slower-30", 20)) <= 450


def test_run__disagrees__rolled_back_after_hundreds_of_pairs() -> None:
    runs = runs_of("disagrees", 100)
    assert 300 <= median(runs) <= 600
    assert all(run.n_canary == 0 for run in runs)


def test_run_many__other_number_of_processes__same_runs() -> None:
    traffic = Traffic(200, canary_errors=0.2)
    assert run_many(4, 9, stuck("canary", 500), traffic, 2) == run_many(4, 9, stuck("canary", 500), traffic, 1)


def test_course__candidate_without_errors__passes_each_stage_with_its_proof() -> None:
    course, rng = Course(preset("canary")), np.random.default_rng(1)
    least = {0: 150, 1: 300, 2: 1_000, 3: 2_000}
    reached: dict[int, int] = {}
    sources = {one.weight_bp: ticks(Traffic(5_000, 0, 0), one.weight_bp, 0, rng) for one in course.plan.stages}
    while course.is_live:
        stage, before = course.at.stage, course.n_canary
        course.take(next(sources[course.stage.weight_bp]), 10)
        reached[stage] = reached.get(stage, 0) + course.n_canary - before
        assert course.seconds < 24 * 3_600
    assert course.at.state is State.PROMOTED
    assert all(reached[stage] >= n for stage, n in least.items())
    assert course.seconds >= 4 * 300 + 600


def test_course__arms_do_not_get_their_share__held() -> None:
    course, source = Course(preset("canary")), ticks(Traffic(5_000), 2_500, 0, np.random.default_rng(1))
    for _ in range(3):
        course.take(next(source), 10)
    assert (course.at.state, course.last.code) == (State.HOLD, "srm")


def test_course__nothing_happens__stays_where_it_is() -> None:
    course = Course(Plan((Stage("canary", 500, 60, 10, 0.02),)))
    for _ in range(100):
        course.take(Tick(NOTHING, {}, {}), 10)
    assert course.at.state is State.CANARY


def test_ticks__weight_and_rates__as_asked_for() -> None:
    source = ticks(Traffic(6_000, 0.01, 0.05, slower=2.0), 2_500, 0, np.random.default_rng(8))
    seen = [next(source) for _ in range(200)]
    n_c, n_s, k_c, k_s = (sum(tick.counts[i] for tick in seen) for i in range(4))
    assert n_c + n_s == pytest.approx(200_000, rel=0.01)
    assert n_c / (n_c + n_s) == pytest.approx(0.25, abs=0.005)
    assert k_c / n_c == pytest.approx(0.05, rel=0.1)
    assert k_s / n_s == pytest.approx(0.01, rel=0.1)
    assert sum(sum(tick.canary.values()) for tick in seen) == n_c - k_c
    means = [np.average(list(tick), weights=list(tick.values())) for tick in (seen[0].stable, seen[0].canary)]
    assert means[1] - means[0] == pytest.approx(35, abs=3)


def test_growing__every_step__moves_what_the_weights_differ_by() -> None:
    for move in growing(50_000):
        assert move.share == pytest.approx(move.wanted, abs=0.004)
        assert move.n_backwards == 0


def test_figures__share_above_the_goal__is_not_met() -> None:
    good = Run(State.PROMOTED, "gate", 1, 100, 0, 0, {"Flagger": 5, "Argo": None, "z test": None})
    bad = good._replace(state=State.ROLLING_BACK, code="evidence")
    assert figures_of(row("harmless-1000"), [good] * 100).is_met
    assert figures_of(row("harmless-1000"), [*[good] * 99, bad]).is_met
    found = figures_of(row("harmless-1000"), [*[good] * 98, bad, bad])
    assert not found.is_met
    assert found.measured == "2 % (evidence 2)"
    assert found.others == ("100 %", "0 %", "0 %")


def test_figures__one_run_never_rolled_back__is_not_met() -> None:
    fast = Run(State.ROLLING_BACK, "evidence", 1, 4, 0, 0, {"Flagger": 30, "Argo": None, "z test": 2})
    assert figures_of(row("always-fails"), [fast] * 10).is_met
    found = figures_of(row("always-fails"), [*[fast] * 9, fast._replace(state=State.CANARY)])
    assert not found.is_met
    assert found.measured == "4, p90 4, 10 % never"
    assert found.others == ("30, p90 30", "never", "2, p90 2")


def test_command__one_row__prints_the_goal_beside_the_figure() -> None:
    out = StringIO()
    call_command("simulate_rollouts", "--rollouts", "20", "--only", "always-fails", "--processes", "1", stdout=out)
    header, line = out.getvalue().splitlines()
    assert header.split() == ["goal", "measured", "met", "Flagger", "Argo", "z", "test"]
    assert line.startswith("always fails, 50/min, weight 5 %")
    assert "<= 5" in line
    assert " yes " in line
