"""What the forms that move traffic show of a version: what would change for callers, and its golden requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django import forms

from inference.endpoints.compatible import CODE, diff_of
from inference.endpoints.contract import MISMATCH
from inference.endpoints.switching import largest, live_shares
from inference.golden.words import sentence_of
from inference.models import Endpoint, GoldenRun
from inference.selectors.golden import digest_of, golden_of, runs_of
from registry.artifacts.signature_diff import SignatureDiff
from registry.models import ModelVersion

# What the box “Force it” overrides.
FORCIBLE = (CODE, MISMATCH, "golden_not_run", "proven_harmful", "cooling_down")


class Check(NamedTuple):
    """Of one version against the live one. `diff` is None where nothing is live; `run` is the last of the golden
    requests as they are now, None where there was none yet or `n_golden` is 0."""

    version: ModelVersion
    live: ModelVersion | None
    diff: SignatureDiff | None
    n_golden: int
    run: GoldenRun | None
    sentence: str

    @property
    def breaks(self) -> bool:
        return bool((self.diff and self.diff.breaks) or (self.run and self.run.n_failed))


def contract_of(endpoint: Endpoint, entering: Iterable[ModelVersion], code: str = "") -> dict[str, Any]:
    """For `inference/_contract.html`. `code` is that of the refusal, if there was one."""
    live = largest(live_shares(endpoint))
    requests = list(golden_of(endpoint.model))
    digest = digest_of(requests)
    checks = [_check(live, version, len(requests), digest) for version in entering]
    return {"checks": checks, "needs_force": code in FORCIBLE or any(check.breaks for check in checks)}


def require_force(form: forms.Form, contract: dict[str, Any]) -> None:
    """Without the box a breaking signature is certain to be refused: the browser says so before it is sent."""
    if any(check.diff and check.diff.breaks for check in contract["checks"]):
        form.fields["force"].widget.attrs["required"] = True


def _check(live: ModelVersion | None, version: ModelVersion, n_golden: int, digest: str) -> Check:
    diff = None if live is None or live.pk == version.pk else diff_of(live, version)
    run = runs_of(version).filter(set_digest=digest).first() if n_golden else None
    return Check(version, live, diff, n_golden, run, sentence_of(run) if run else "")
