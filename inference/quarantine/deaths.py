"""Deaths as rows, and whether a version had too many of them in too short a time."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings

from inference.models import RuntimeDeath
from inference.runtime.deaths import Death
from inference.selectors.quarantines import counted_deaths
from registry.models import ModelVersion

LONGEST_KEY = 100


def note_death(version: ModelVersion, death: Death) -> RuntimeDeath:
    """Writes the death down for this version, once however often it is reported."""
    facts: dict[str, Any] = {
        "version": version,
        "cause": death.cause,
        "signal": death.signal,
        "isolated": death.isolated,
        "host": socket.gethostname(),
        "pid": death.pid,
        "at": datetime.fromtimestamp(death.at, UTC),
    }
    return RuntimeDeath.objects.get_or_create(key=_key(version, death), defaults=facts)[0]


def _key(version: ModelVersion, death: Death) -> str:
    """The same bytes may be a version of several models: each has a row of its own."""
    key = f"{version.pk}:{death.key}"
    return key if len(key) <= LONGEST_KEY else sha256(key.encode()).hexdigest()


def deadly_run(version: ModelVersion, newest: RuntimeDeath) -> list[RuntimeDeath]:
    """Deaths close to `newest` that came within the setting's time of each other, if they are too many; else none."""
    span = timedelta(seconds=settings.PORTAL_QUARANTINE_SECONDS)
    around = counted_deaths().filter(version=version, at__range=(newest.at - span, newest.at + span))
    return first_crowd(sorted(around, key=lambda death: death.at), settings.PORTAL_QUARANTINE_DEATHS, span)


def first_crowd(deaths: Sequence[RuntimeDeath], count: int, span: timedelta) -> list[RuntimeDeath]:
    """Of deaths from the oldest on: the first that lie within `span`, `count` of them or more; else nothing."""
    for begin, first in enumerate(deaths):
        crowd = [death for death in deaths[begin:] if death.at - first.at <= span]
        if len(crowd) >= count:
            return crowd
    return []


def in_words(deaths: Iterable[RuntimeDeath]) -> str:
    """How they died, each way named once: crashed (SIGSEGV), out of memory."""
    return ", ".join(dict.fromkeys(_way(death) for death in deaths))


def _way(death: RuntimeDeath) -> str:
    return f"{death.get_cause_display()} ({death.signal})" if death.signal else death.get_cause_display()


def as_json(deaths: Iterable[RuntimeDeath]) -> list[dict[str, Any]]:
    """For the record."""
    return [
        {
            "cause": death.cause,
            "signal": death.signal,
            "isolated": death.isolated,
            "host": death.host,
            "pid": death.pid,
            "at": death.at.isoformat(),
        }
        for death in deaths
    ]
