"""Reports of the truth: what is kept, joined, repeated, late."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from inference.models import Outcome
from inference.outcomes.joining import forget_unjoined, join_waiting
from inference.outcomes.services import report_many, report_one
from inference.outcomes.summary import summary_of
from registry.access.principal import SYSTEM
from tests import factories
from tests.inference.outcomes.kept import ago, keep_record, make_rollout

pytestmark = pytest.mark.django_db


def report(*items: dict, endpoint: str = "shop") -> dict:
    return report_many(SYSTEM, list(items), endpoint).as_json()


def counts(**wanted: int) -> dict:
    return {"accepted": 0, "joined": 0, "unknown": 0, "repeated": 0, "late": 0, "rejected": [], **wanted}


def test_report__known_id__joined_and_judged() -> None:
    endpoint = factories.make_endpoint("shop")
    record = keep_record(endpoint, "r1", 3)
    tally = report_one(SYSTEM, {"endpoint": "shop", "request_id": "r1", "label": 4, "reward": 2})
    assert tally.as_json() == counts(accepted=1, joined=1)
    row = Outcome.objects.get()
    assert (row.label, row.reward, row.is_wrong, row.record, row.is_late, row.taken) == (
        4,
        2.0,
        True,
        record,
        False,
        None,
    )
    assert row.matures_at is not None
    assert row.matures_at <= timezone.now()


def test_report__unknown_id__kept_and_joined_once_the_record_is_there() -> None:
    endpoint = factories.make_endpoint("shop")
    assert report({"request_id": "r1", "label": 3}) == counts(accepted=1, unknown=1)
    assert join_waiting() == 0
    record = keep_record(endpoint, "r1", 3)
    assert join_waiting() == 1
    row = Outcome.objects.get()
    assert (row.record, row.is_wrong, row.is_late) == (record, False, False)
    assert join_waiting() == 0


def test_join_waiting__outcome_of_yesterday__left_alone_and_forgotten_after_a_month() -> None:
    endpoint = factories.make_endpoint("shop")
    report({"request_id": "r1", "label": 3, "at": ago(hours=25).isoformat()})
    keep_record(endpoint, "r1", 3)
    assert join_waiting() == 0
    assert forget_unjoined() == 0
    Outcome.objects.update(received_at=ago(days=31))
    assert forget_unjoined() == 1


def test_report__same_id_twice_answered__newest_record_meant() -> None:
    endpoint = factories.make_endpoint("shop")
    keep_record(endpoint, "r1", 1)
    newest = keep_record(endpoint, "r1", 2)
    report({"request_id": "r1", "label": 2})
    assert Outcome.objects.get().record == newest


def test_report__record_of_another_endpoint__not_joined() -> None:
    factories.make_endpoint("shop")
    keep_record(factories.make_endpoint("other"), "r1", 1)
    assert report({"request_id": "r1", "label": 1}) == counts(accepted=1, unknown=1)


def test_report__same_value_again__repeated_and_unchanged() -> None:
    keep_record(factories.make_endpoint("shop"), "r1", 3)
    report({"request_id": "r1", "label": 3})
    before = Outcome.objects.values().get()
    assert report({"request_id": "r1", "label": 3}) == counts(repeated=1)
    assert Outcome.objects.values().get() == before


def test_report__other_value__replaces_it() -> None:
    keep_record(factories.make_endpoint("shop"), "r1", 3)
    report({"request_id": "r1", "label": 3, "reward": 1.5})
    assert report({"request_id": "r1", "label": 4}) == counts(accepted=1, joined=1)
    row = Outcome.objects.get()
    assert (row.label, row.reward, row.is_wrong) == (4, 1.5, True)


def test_report__other_value_after_it_was_taken__repeated_and_shown_but_still_taken() -> None:
    keep_record(factories.make_endpoint("shop"), "r1", 3)
    report({"request_id": "r1", "label": 3})
    Outcome.objects.update(taken=7)
    assert report({"request_id": "r1", "label": 4}) == counts(repeated=1)
    row = Outcome.objects.get()
    assert (row.label, row.is_wrong, row.taken) == (4, True, 7)


def test_report__one_id_several_times_in_a_list__last_stands_and_the_others_are_repeated() -> None:
    keep_record(factories.make_endpoint("shop"), "r1", 3)
    sent = [{"request_id": "r1", "label": 1}, {"request_id": "r1", "reward": 5}, {"request_id": "r1", "label": 3}]
    assert report(*sent) == counts(accepted=1, joined=1, repeated=2)
    row = Outcome.objects.get()
    assert (row.label, row.reward, row.is_wrong) == (3, 5.0, False)


def test_report__after_seven_days__late() -> None:
    endpoint = factories.make_endpoint("shop")
    keep_record(endpoint, "old", 3, at=ago(days=7, seconds=5))
    keep_record(endpoint, "new", 3, at=ago(days=6, hours=23))
    sent = [{"request_id": name, "label": 3} for name in ("old", "new")]
    assert report(*sent) == counts(accepted=2, joined=2, late=1)
    assert Outcome.objects.get(is_late=True).request_id == "old"


def test_report__known_in_time_but_sent_later__not_late() -> None:
    keep_record(factories.make_endpoint("shop"), "r1", 3, at=ago(days=9))
    assert report({"request_id": "r1", "label": 3, "at": ago(days=3).isoformat()}) == counts(accepted=1, joined=1)


def test_report__rollout_with_a_window_of_its_own__late_after_that() -> None:
    endpoint = factories.make_endpoint("shop")
    rollout = make_rollout(endpoint, attribution_seconds=60)
    keep_record(endpoint, "r1", 3, split=rollout.splits.get(), at=ago(seconds=61))
    assert report({"request_id": "r1", "label": 3}) == counts(accepted=1, joined=1, late=1)


def test_report__rollout_that_waits__matures_when_the_window_is_over() -> None:
    endpoint = factories.make_endpoint("shop")
    rollout = make_rollout(endpoint, attribution_seconds=60, waits_for_attribution=True)
    record = keep_record(endpoint, "r1", 3, split=rollout.splits.get())
    report({"request_id": "r1", "label": 3})
    assert Outcome.objects.get().matures_at == record.at + timedelta(seconds=60)


def test_report_many__some_entries_wrong__listed_and_the_rest_taken() -> None:
    factories.make_endpoint("shop")
    stranger = factories.make_endpoint("secret", project=factories.make_project("other"))
    keep_record(stranger, "r1", 3)
    bob = factories.principal("bob", "viewer")
    sent = [
        {"request_id": "a", "label": 1},
        {"request_id": "b"},
        "what",
        {"request_id": "c", "label": 1, "endpoint": "secret"},
        {"request_id": "d", "label": 1, "endpoint": "nowhere"},
        {"request_id": "e", "label": 1, "endpoint": "a\0b"},
        {"request_id": "f", "label": 1, "endpoint": 7},
    ]
    answer = report_many(bob, sent, "shop").as_json()
    rejected = [(row["index"], row["code"]) for row in answer["rejected"]]
    assert rejected == [
        (1, "no_truth"),
        (2, "invalid_outcome"),
        (3, "not_found"),
        (4, "not_found"),
        (5, "not_found"),
        (6, "no_endpoint"),
    ]
    assert (answer["accepted"], Outcome.objects.count()) == (1, 1)


def test_summary__judged_and_rewarded__per_version() -> None:
    endpoint = factories.make_endpoint("shop")
    second = factories.version_of(endpoint, 2)
    for place in range(4):
        keep_record(endpoint, f"a{place}", 1)
        keep_record(endpoint, f"b{place}", 1, version=second, variant="canary")
    sent = [{"request_id": f"a{place}", "label": 1 if place else 2, "reward": place} for place in range(4)]
    report(
        *sent, {"request_id": "b0", "label": 1}, {"request_id": "b1", "reward": 5}, {"request_id": "??x", "label": 1}
    )
    two, one = summary_of(endpoint)
    assert (two.version, two.n, two.n_judged, two.share_right, two.n_rewards, two.mean_reward) == (2, 2, 1, 1.0, 1, 5.0)
    assert (one.version, one.n, one.n_judged, one.share_right, one.n_rewards, one.mean_reward) == (
        1,
        4,
        4,
        0.75,
        4,
        1.5,
    )
    assert summary_of(factories.make_endpoint("fresh")) == []


@pytest.mark.django_db(transaction=True)
def test_report__same_ids_from_many_threads__each_kept_once() -> None:
    factories.make_endpoint("shop")
    answers = []

    def send(value: int) -> None:
        try:
            answers.append(report(*[{"request_id": f"r{place}", "label": value} for place in range(200)]))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(place % 2,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Outcome.objects.count() == 200
    assert len(answers) == 6
    assert all(answer["accepted"] + answer["repeated"] == 200 for answer in answers)
    assert Outcome.objects.values("label").distinct().count() == 1
