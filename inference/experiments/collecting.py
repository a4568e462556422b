"""Evidence windows become sums per key.

The windows that a batch takes and the sums that it adds to are written by one statement: a window is counted once,
whoever dies in between.
"""

from __future__ import annotations

from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import F

from inference.models import Experiment

# The keys are split up here and not in Python, so that a batch costs one round trip however many there are.
TAKE = """
WITH taken AS (
    UPDATE inference_evidencewindow AS evidence SET taken = %(seq)s
    FROM inference_trafficsplit AS split
    WHERE evidence.split_id = split.id AND split.experiment_id = %(experiment)s AND evidence.taken IS NULL
    RETURNING evidence.variant, evidence.is_keyed, evidence.started_at, evidence.n, evidence.units, evidence.details
), seen AS (
    SELECT variant, started_at, (item ->> 0)::bigint AS unit, (item ->> 1)::bigint AS n,
           (item ->> 2)::bigint AS n_bad, (item ->> 3)::float8 AS seconds
    FROM taken CROSS JOIN LATERAL jsonb_array_elements(units) AS item
    WHERE is_keyed
), added AS (
    INSERT INTO inference_exposedunit
        (experiment_id, unit, variant, first_at, n, n_bad, seconds, n_rewards, reward)
    SELECT %(experiment)s, unit, variant, min(started_at), sum(n), sum(n_bad), sum(seconds), 0, 0
    FROM seen GROUP BY unit, variant
    ON CONFLICT (experiment_id, unit, variant) DO UPDATE SET
        n = inference_exposedunit.n + excluded.n,
        n_bad = inference_exposedunit.n_bad + excluded.n_bad,
        seconds = inference_exposedunit.seconds + excluded.seconds,
        first_at = least(inference_exposedunit.first_at, excluded.first_at)
    RETURNING 1
)
SELECT (SELECT count(*) FROM taken),
       (SELECT coalesce(sum(n), 0) FROM taken WHERE NOT is_keyed),
       (SELECT coalesce(sum((details ->> 'units_dropped')::bigint), 0) FROM taken),
       (SELECT count(*) FROM added)
"""


class Collected(NamedTuple):
    """What one batch held: windows, answers without a key, keys that its processes had no room for, keys."""

    n_windows: int
    n_drawn: int
    n_dropped: int
    n_units: int


def collect(experiment: Experiment) -> Collected:
    """Takes all that is new as one batch, and gives `experiment` its `seq`. Nothing new: no batch."""
    with transaction.atomic():
        locked = Experiment.objects.select_for_update().only("seq").get(pk=experiment.pk)
        with connection.cursor() as cursor:
            cursor.execute(TAKE, {"seq": locked.seq + 1, "experiment": experiment.pk})
            collected = Collected(*(int(value) for value in cursor.fetchone()))
        if collected.n_windows:
            Experiment.objects.filter(pk=experiment.pk).update(seq=F("seq") + 1)
            experiment.seq = locked.seq + 1
    return collected
