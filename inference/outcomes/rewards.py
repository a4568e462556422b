"""Rewards that came later, added to the keys of an experiment."""

from __future__ import annotations

from django.db import connection

from inference.models import Experiment

VALUES = {
    Experiment.Metric.REWARD: "outcome.reward",
    Experiment.Metric.AGREEMENT: "CASE WHEN outcome.is_wrong THEN 0.0 ELSE 1.0 END",
}
MISSING = {Experiment.Metric.REWARD: "outcome.reward", Experiment.Metric.AGREEMENT: "outcome.is_wrong"}
# Outcomes of keys that are not written down yet stay for the next time. What a concurrent call has locked first is
# taken by then, and the condition on `taken` is asked again.
_ADD = """
WITH ready AS (
    SELECT outcome.id, unit.id AS unit_id, {value} AS value
    FROM inference_outcome outcome
    JOIN inference_predictionrecord record ON record.id = outcome.record_id
    JOIN inference_trafficsplit split ON split.id = record.split_id
    JOIN inference_exposedunit unit ON unit.experiment_id = split.experiment_id
        AND unit.unit = record.unit AND unit.variant = record.variant
    WHERE split.experiment_id = %s AND outcome.taken IS NULL AND NOT outcome.is_late
        AND outcome.matures_at <= statement_timestamp() AND {missing} IS NOT NULL
    FOR UPDATE OF outcome
), marked AS (
    UPDATE inference_outcome SET taken = %s FROM ready WHERE inference_outcome.id = ready.id
), sums AS (
    SELECT unit_id, count(*) AS n, sum(value) AS value FROM ready GROUP BY unit_id
), added AS (
    UPDATE inference_exposedunit SET reward = reward + sums.value, n_rewards = n_rewards + sums.n
    FROM sums WHERE inference_exposedunit.id = sums.unit_id RETURNING sums.n
)
SELECT coalesce(sum(n), 0) FROM added
"""


def add_rewards(experiment: Experiment) -> int:
    """Adds new outcomes to their keys' sums, each once; says how many. Other metrics than these two have none."""
    value = VALUES.get(Experiment.Metric(experiment.metric))
    if value is None:
        return 0
    statement = _ADD.format(value=value, missing=MISSING[Experiment.Metric(experiment.metric)])
    with connection.cursor() as cursor:
        cursor.execute(statement, [experiment.pk, experiment.seq])
        return int(cursor.fetchone()[0])
