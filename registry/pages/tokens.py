"""One's own API tokens: made, shown once, revoked."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound, PortalError
from registry import selectors
from registry.pages import selectors_pages
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.pages.forms import TokenForm
from registry.services import tokens as service


def _endpoints(request: PageRequest) -> list[str]:
    """Slugs one may see, asked through the relation: the registry knows nothing of serving."""
    models = selectors.models_for(request.principal)
    slugs = models.filter(endpoints__deleted_at=None).values_list("endpoints__slug", flat=True)
    return sorted(slug for slug in slugs if slug)


def _show(request: PageRequest, form: TokenForm, status: int = 200, **more: Any) -> HttpResponse:
    rows = selectors.tokens_for(request.principal).order_by("revoked_at", "-created_at")
    page_now = selectors_pages.page_of(request, rows)
    return show(
        request, "registry/tokens.html", {"form": form, "page": page_now, "now": timezone.now(), **more}, status
    )


@page(GET="token.view", POST="token.create")
def tokens(request: PageRequest) -> HttpResponse:
    """The secret is in the answer to the POST and nowhere else, so this one form does not redirect."""
    slugs = _endpoints(request)
    if request.method == "GET":
        return _show(request, TokenForm(endpoints=slugs, initial={"scopes": ["read", "predict"]}))
    form = TokenForm(request.POST, endpoints=slugs)
    if not form.is_valid():
        return _show(request, form, 400)
    try:
        token, secret = service.create_token(request.principal, owner=request.user, **form.cleaned_data)
    except PortalError as error:
        return _show(request, form, blame(form, error))
    answer = _show(request, TokenForm(endpoints=slugs), secret=secret, created=token)
    answer["Cache-Control"] = "no-store"
    return answer


@page(GET="token.revoke", POST="token.revoke")
def revoke(request: PageRequest, token_id: int) -> HttpResponse:
    """Asks first: whoever still uses the token is locked out at once."""
    if request.method == "GET":
        token = selectors.tokens_for(request.principal).filter(pk=token_id, revoked_at=None).first()
        if token is None:
            raise NotFound(_("There is no such token, or it is not yours."))
        return show(request, "registry/token_revoke.html", {"token": token})
    service.revoke_token(request.principal, token_id)
    return go(request, "tokens", said=_("The token is revoked: it opens nothing from now on."))
