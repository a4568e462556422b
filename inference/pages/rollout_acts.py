"""What persons do to a rollout: each act is a page of its own and the content of a dialog.

All show the state now and the state after, take a reason, and carry the version of the rollout that was shown: when
somebody else, or the controller, was faster, the form comes back with the new state and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy

from inference.analysis.guardrails import HOLD_LN
from inference.models import Rollout, RolloutStage
from inference.pages.arms import Arm
from inference.pages.rollout_steps import title_of
from inference.pages.rollout_view import arms_before, arms_now, arms_with, shown_state
from inference.rollouts import services
from inference.selectors.rollouts import get_rollout, last_run, stage_of
from portal.lib.errors import Conflict, DeadlineExceeded, PortalError
from registry.access import policy
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show


class Act(NamedTuple):
    """`does` says what happens, `said` what has happened; `asks_twice` where evidence of harm needs a yes."""

    title: Any
    does: Any
    button: Any
    said: Any
    service: Callable[..., Rollout]
    tone: str = "button-primary"
    asks_twice: bool = False


ACTS = {
    "start": Act(
        gettext_lazy("Start this rollout"),
        gettext_lazy("The candidate is loaded everywhere and checked; then the first stage begins."),
        gettext_lazy("Start"),
        gettext_lazy("Started."),
        services.start,
    ),
    "pause": Act(
        gettext_lazy("Pause this rollout"),
        gettext_lazy("The traffic stays as it is and no stage begins. The guardrails go on: proof of harm rolls back."),
        gettext_lazy("Pause"),
        gettext_lazy("Paused. The guardrails go on."),
        services.pause,
    ),
    "resume": Act(
        gettext_lazy("Resume this rollout"),
        gettext_lazy("Goes on with the same stage, with all that was seen so far."),
        gettext_lazy("Resume"),
        gettext_lazy("Resumed."),
        services.resume,
        asks_twice=True,
    ),
    "advance": Act(
        gettext_lazy("Advance to the next stage"),
        gettext_lazy("Now, whatever the present stage still waits for. The record says that a person did it."),
        gettext_lazy("Advance"),
        gettext_lazy("Advanced."),
        services.advance,
        asks_twice=True,
    ),
    "promote": Act(
        gettext_lazy("Promote now"),
        gettext_lazy("All traffic to the candidate, whatever is still missing. The old version stays loaded."),
        gettext_lazy("Promote"),
        gettext_lazy("Promoted."),
        services.promote,
        asks_twice=True,
    ),
    "abort": Act(
        gettext_lazy("Roll back"),
        gettext_lazy("All traffic goes back to where it was before this rollout. Nothing has to be loaded for that."),
        gettext_lazy("Roll back"),
        gettext_lazy("Rolled back."),
        services.abort,
        tone="button-danger",
    ),
}


class ActForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=2_000,
        help_text=gettext_lazy("Goes to the audit trail, for whoever asks later."),
        widget=forms.Textarea({"class": "textarea", "rows": 2, "autofocus": ""}),
    )
    lock_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    force = forms.BooleanField(
        label=gettext_lazy("I have seen the evidence against the candidate, and go on all the same."), required=False
    )


@page(GET="rollout.operate", POST="rollout.operate")
def act(request: PageRequest, rollout_id: int, verb: str) -> HttpResponse:
    rollout = get_rollout(request.principal, rollout_id)
    endpoint = rollout.endpoint
    policy.require_endpoint(request.principal, "rollout.operate", endpoint.project_id, endpoint.slug)
    form, status = ActForm(request.POST if request.method == "POST" else None), 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                ACTS[verb].service(request.principal, rollout, **_said(verb, form))
            except DeadlineExceeded as error:
                messages.warning(request, error.message)
                return go(request, "rollout", rollout_id)
            except PortalError as error:
                status = _refused(form, error)
                rollout = get_rollout(request.principal, rollout_id)
            else:
                return go(request, "rollout", rollout_id, said=str(ACTS[verb].said))
    return show(request, "inference/rollout_act.html", _context(rollout, verb, form), status)


def _said(verb: str, form: ActForm) -> dict[str, Any]:
    said = {"reason": form.cleaned_data["reason"], "lock_version": form.cleaned_data["lock_version"]}
    if verb == "start":
        del said["lock_version"]
    return {**said, "force": form.cleaned_data["force"]} if ACTS[verb].asks_twice else said


def _refused(form: ActForm, error: PortalError) -> int:
    """A lost race is told by the page itself, which shows the state now."""
    if isinstance(error, Conflict) and error.code == "rollout_moved":
        return error.status
    return blame(form, error)


def _context(rollout: Rollout, verb: str, form: ActForm) -> dict[str, Any]:
    run = last_run(rollout)
    worst = max(run.ln_e.values(), default=None) if run else None
    following = _following(rollout)
    return {
        "rollout": rollout,
        "endpoint": rollout.endpoint,
        "stage": stage_of(rollout),
        "state": shown_state(rollout, run),
        "verb": verb,
        "here": reverse(f"rollout-{verb}", args=[rollout.pk]),
        "act": ACTS[verb],
        "form": form,
        "before": arms_now(rollout),
        "after": _after(rollout, verb, following),
        "following": title_of(following) if following else "",
        "worst": worst if worst is not None and worst >= HOLD_LN and ACTS[verb].asks_twice else None,
        "rehearsal": rollout.endpoint.rehearsal if verb == "abort" else None,
        "too_late": form.is_bound and str(form["lock_version"].value()) != str(rollout.lock_version),
    }


def _following(rollout: Rollout) -> RolloutStage | None:
    return next((stage for stage in rollout.stages.all() if stage.index == rollout.position + 1), None)


def _after(rollout: Rollout, verb: str, following: RolloutStage | None) -> list[Arm]:
    if verb == "abort":
        return arms_before(rollout)
    if verb == "promote" or (verb == "advance" and following is None):
        return arms_with(rollout, 10_000)
    if verb == "advance" and following is not None and following.weight_bp:
        return arms_with(rollout, following.weight_bp)
    return arms_now(rollout)
