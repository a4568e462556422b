"""What training scripts note in runs, experiments and logged models: metrics, parameters, tags, models made and used.

It takes the right to upload. Notes are not recorded, and none goes into what is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _

from portal.lib.errors import InvalidInput, NotFound
from registry.access import policy
from registry.access.principal import Principal
from registry.models import LoggedModel, TrackingExperiment, TrackingMetric, TrackingRun

ACTION = "version.upload"
MOST_KEYS = 1_000
MOST_KEY_CHARACTERS = 250
MOST_VALUE_CHARACTERS = 8_000
MOST_OUTPUT_CHARACTERS = 1_000_000


def log(
    principal: Principal,
    run: TrackingRun,
    *,
    metrics: Iterable[TrackingMetric] = (),
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    removed_tag: str = "",
) -> None:
    """All of it, or nothing. Raises InvalidInput, also where a parameter has another value already, and NotFound."""
    policy.require(principal, ACTION, run.experiment.project_id)
    check_alive(run)
    metrics = list(metrics)
    for metric in metrics:
        _check_key(metric.key)
    with transaction.atomic():
        if params or tags or removed_tag:
            locked = locked_run(run)
            if removed_tag and removed_tag not in locked.tags:
                raise NotFound(_("This run has no tag “%(key)s”.") % {"key": removed_tag[:100]})
            _refuse_changed(locked.params, params or {})
            kept = {key: value for key, value in locked.tags.items() if key != removed_tag}
            write(locked, {"params": merged(locked.params, params or {}), "tags": merged(kept, tags or {})})
        TrackingMetric.objects.bulk_create(_new_ones(run, metrics), batch_size=500)


def add_outputs(principal: Principal, run: TrackingRun, made: Iterable[dict[str, Any]]) -> None:
    """Models that the run made or used, and data sets. Raises InvalidInput."""
    policy.require(principal, ACTION, run.experiment.project_id)
    with transaction.atomic():
        locked = locked_run(run)
        known = {json.dumps(item, sort_keys=True): item for item in (*locked.outputs, *made)}
        outputs = list(known.values())
        if len(json.dumps(outputs)) > MOST_OUTPUT_CHARACTERS:
            raise InvalidInput(_("These are more models and data sets than one run can name."))
        write(locked, {"outputs": outputs})


def note(
    principal: Principal,
    row: TrackingExperiment | LoggedModel,
    *,
    tags: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    removed_tag: str = "",
) -> None:
    """A few keys more or less, so that of two callers at once both keep theirs. Raises InvalidInput."""
    policy.require(
        principal, ACTION, row.project_id if isinstance(row, TrackingExperiment) else row.experiment.project_id
    )
    with transaction.atomic():
        locked = type(row)._default_manager.select_for_update(no_key=True).get(pk=row.pk)
        check_alive(locked)
        kept = {key: value for key, value in locked.tags.items() if key != removed_tag}
        facts = {"tags": merged(kept, tags or {})}
        if params and isinstance(locked, LoggedModel):
            facts["params"] = merged(locked.params, params)
        write(locked, facts)


def locked_run(run: TrackingRun) -> TrackingRun:
    """Inside a transaction. Raises InvalidInput where it is deleted."""
    rows = TrackingRun.objects.select_for_update(no_key=True, of=("self",)).select_related("experiment")
    locked = rows.get(pk=run.pk)
    check_alive(locked)
    return locked


def check_alive(row: TrackingExperiment | TrackingRun | LoggedModel) -> None:
    """MLflow's rule: what is deleted has to be restored before anybody writes into it. Raises InvalidInput."""
    if isinstance(row, TrackingRun):
        check_alive(row.experiment)
    if row.deleted_at is not None:
        kinds = {TrackingExperiment: _("experiment"), TrackingRun: _("run"), LoggedModel: _("logged model")}
        raise InvalidInput(
            _("The %(kind)s “%(name)s” is deleted: restore it first.") % {"kind": kinds[type(row)], "name": row}
        )


def merged(kept: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Raises InvalidInput where keys or values are too long or too many."""
    for key, value in more.items():
        _check_key(key)
        if len(value) > MOST_VALUE_CHARACTERS:
            raise InvalidInput(
                _("The value of “%(key)s” is longer than %(n)s characters.")
                % {"key": key[:60], "n": MOST_VALUE_CHARACTERS}
            )
    both = {**kept, **more}
    if len(both) > MOST_KEYS:
        raise InvalidInput(_("These are more than %(n)s keys.") % {"n": MOST_KEYS})
    return both


def write(row: Model, facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        setattr(row, name, value)
    stamped = ["updated_at"] if hasattr(row, "updated_at") else []
    row.save(update_fields=[*facts, *stamped])


def _check_key(key: str) -> None:
    if not 0 < len(key) <= MOST_KEY_CHARACTERS or "\x00" in key:
        raise InvalidInput(_("A key has 1 to %(n)s characters.") % {"n": MOST_KEY_CHARACTERS}, details={"field": "key"})


def _new_ones(run: TrackingRun, metrics: list[TrackingMetric]) -> list[TrackingMetric]:
    """Without those that are there already: a client that heard no answer sends them again."""
    keys, times = {item.key for item in metrics}, {item.timestamp for item in metrics}
    seen = {_identity(row) for row in TrackingMetric.objects.filter(run=run, key__in=keys, timestamp__in=times)}
    found = {_identity(item): item for item in metrics}
    return [item for identity, item in found.items() if identity not in seen]


def _identity(item: TrackingMetric) -> tuple[object, ...]:
    # NaN is not equal to itself, its text is.
    return item.key, item.timestamp, item.step, item.model_id, repr(float(item.value))


def _refuse_changed(kept: Mapping[str, str], more: Mapping[str, str]) -> None:
    """MLflow's rule: a parameter is said once."""
    changed = [key for key, value in more.items() if kept.get(key, value) != value]
    if changed:
        raise InvalidInput(
            _("Parameter “%(key)s” was logged already with the value “%(value)s” and cannot be changed.")
            % {"key": changed[0], "value": kept[changed[0]][:100]}
        )
