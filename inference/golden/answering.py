"""What a version answers now, as a caller would get it: by the session that serves it in this process."""

from __future__ import annotations

from time import monotonic, perf_counter
from typing import NamedTuple

import numpy as np
from django.utils.translation import gettext as _

from inference.routing.snapshot import version_ref
from inference.selectors.quarantines import is_quarantined
from inference.serving.sessions import load_version
from portal.lib.errors import Conflict
from registry.models import ModelVersion, VersionStatus

SECONDS = 10.0


class Answer(NamedTuple):
    """`outputs` in the signature's order; `seconds` are those of the run alone."""

    outputs: list[np.ndarray]
    seconds: float


def answer_now(version: ModelVersion, inputs: dict[str, np.ndarray]) -> Answer:
    """`inputs` are the model's own.

    Raises Conflict (`version_not_ready`, `version_quarantined`), and Unprocessable, DeadlineExceeded and Unavailable as
    the data plane does.
    """
    check_may_answer(version)
    session = load_version(version_ref(version))
    begin = perf_counter()
    outputs = session.run(inputs, deadline=monotonic() + SECONDS)
    return Answer(outputs, perf_counter() - begin)


def check_ready(version: ModelVersion) -> None:
    """Raises Conflict (`version_not_ready`)."""
    if version.status != VersionStatus.READY:
        raise Conflict(_("Only a ready version can answer."), code="version_not_ready")


def check_may_answer(version: ModelVersion) -> None:
    """Raises Conflict (`version_not_ready`, `version_quarantined`)."""
    check_ready(version)
    if is_quarantined(version):
        raise Conflict(_("This version is in quarantine: release it first."), code="version_quarantined")
