"""Golden requests of a model: the list with how each version answered, adding one, dropping one, running them."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inference.golden import services
from inference.golden.words import brief, sentence_of
from inference.models import GoldenRequest, GoldenRun, PredictionRecord
from inference.pages.golden_forms import GoldenForm, example_of
from inference.pages.selectors_pages import ready_versions
from inference.selectors.endpoints import endpoints_for
from inference.selectors.golden import digest_of, get_golden, golden_of, last_run_of
from inference.selectors.records import get_captured
from portal.lib.errors import NotFound, PortalError
from registry import selectors
from registry.access import policy
from registry.models import ModelVersion, RegisteredModel
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.tabs import frame

MOST_VERSIONS = 20
MOST_VALUES = 12


class Answered(NamedTuple):
    """How a version did last. `is_of_now` is false where the requests have changed since."""

    version: ModelVersion
    run: GoldenRun | None
    is_of_now: bool
    sentence: str


def answered(version: ModelVersion, digest: str) -> Answered:
    """`digest` is that of the requests as they are now."""
    run = last_run_of(version)
    is_of_now = run is not None and run.set_digest == digest
    return Answered(version, run, is_of_now, sentence_of(run) if run else "")


class ExpectedLine(NamedTuple):
    name: str
    values: str


def _expected(item: dict[str, Any]) -> ExpectedLine:
    """One output as a line of text: its first values, as short as they can be told apart."""
    shown = [brief(value) for value in item["data"][:MOST_VALUES]]
    return ExpectedLine(item["name"], ", ".join(shown) + (" …" if len(item["data"]) > MOST_VALUES else ""))


@page(GET="model.view")
def golden(request: PageRequest, name: str) -> HttpResponse:
    model = selectors.get_model(request.principal, name)
    requests = list(golden_of(model))
    digest = digest_of(requests)
    context = {
        **frame(request, model, "golden"),
        "requests": requests,
        "rows": [answered(version, digest) for version in ready_versions(model)[:MOST_VERSIONS]],
        "may_change": policy.can(request.principal, "golden.edit", model.project_id),
        "may_run": policy.can(request.principal, "golden.run", model.project_id),
        "expected": {row.pk: [_expected(item) for item in row.expected] for row in requests},
    }
    return show(request, "inference/golden.html", context)


@page(GET="golden.edit", POST="golden.edit")
def new(request: PageRequest, name: str) -> HttpResponse:
    """`prefill` in a POST fills the form and adds nothing: what it holds may be too long for an address."""
    model = selectors.get_model(request.principal, name)
    policy.require(request.principal, "golden.edit", model.project_id)
    versions = ready_versions(model)
    is_sent = request.method == "POST" and "prefill" not in request.POST
    form = GoldenForm(request.POST if is_sent else None, versions=versions, initial=_initial(request, model, versions))
    status = 200
    if is_sent and form.is_valid():
        try:
            row = _add(request, model, form.cleaned_data)
        except PortalError as error:
            status = blame(form, error)
        else:
            said = _("“%(name)s” has to be answered so by every version from now on.") % {"name": row.name}
            return go(request, "golden", name, said=said)
    elif is_sent:
        status = 400
    return show(request, "inference/golden_new.html", {"model": model, "form": form}, status)


def _add(request: PageRequest, model: RegisteredModel, data: dict[str, Any]) -> GoldenRequest:
    number = data.pop("record_from")
    version = selectors.get_version(request.principal, model.name, number) if number else None
    return services.add_golden(request.principal, model, record_from=version, **data)


def _initial(request: PageRequest, model: RegisteredModel, versions: list[ModelVersion]) -> dict[str, Any]:
    given = {key: request.POST[key] for key in ("name", "request", "record_from") if key in request.POST}
    if given:
        return given
    if record := _captured(request, model):
        inputs = record.inputs.strip()
        body = f'{{"inputs": {inputs}}}' if inputs.startswith("[") else inputs
        return {"name": record.request_id[: services.MOST_NAME], "request": body, "record_from": record.version.number}
    asked = request.GET.get("version", "")
    version = next((version for version in versions if str(version.number) == asked), next(iter(versions), None))
    return {"request": example_of(version), "record_from": version.number} if version else {}


def _captured(request: PageRequest, model: RegisteredModel) -> PredictionRecord | None:
    """The captured request that the address names, for who may see it."""
    slug, key = request.GET.get("endpoint", ""), request.GET.get("captured", "")
    if not slug or not (key.isascii() and key.isdigit() and len(key) < 19):
        return None
    endpoint = endpoints_for(request.principal).filter(slug=slug, model=model).first()
    if endpoint is None:
        raise NotFound(_("There is no endpoint “%(slug)s”.") % {"slug": slug})
    policy.require_endpoint(request.principal, "capture.view", endpoint.project_id, slug)
    return get_captured(endpoint, int(key))


@page(GET="golden.edit", POST="golden.edit")
def delete(request: PageRequest, name: str, golden_id: int) -> HttpResponse:
    model = selectors.get_model(request.principal, name)
    policy.require(request.principal, "golden.edit", model.project_id)
    row = get_golden(model, golden_id)
    if request.method == "POST":
        services.delete_golden(request.principal, row)
        return go(request, "golden", name, said=_("“%(name)s” is asked no more.") % {"name": row.name})
    return show(request, "inference/golden_delete.html", {"model": model, "row": row})


@page(POST="golden.run")
def run(request: PageRequest, name: str, number: int) -> HttpResponse:
    version = selectors.get_version(request.principal, name, number)
    n_requests = services.ask_for_run(request.principal, version)
    said = ngettext(
        "A worker has v%(version)s answer %(n)s golden request now.",
        "A worker has v%(version)s answer %(n)s golden requests now.",
        n_requests,
    )
    return go(request, "golden", name, said=said % {"version": number, "n": n_requests})
