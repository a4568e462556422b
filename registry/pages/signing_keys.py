"""One's own signing keys: the public halves, added and revoked."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import NotFound, PortalError
from registry.pages import selectors_pages
from registry.pages.access import PageRequest, page
from registry.pages.answers import blame, go, show
from registry.services import signing_keys as service


class SigningKeyForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("Where the private half lies, so that you know it again: “build server”."),
        widget=forms.TextInput({"class": "input", "autocomplete": "off"}),
    )
    public_key = forms.CharField(
        label=gettext_lazy("Public key"),
        max_length=2_000,
        help_text=gettext_lazy("An Ed25519 key, as PEM or as 32 bytes in base64. The private half stays with you."),
        widget=forms.Textarea({"class": "input", "rows": 4, "spellcheck": "false"}),
    )


def _show(request: PageRequest, form: SigningKeyForm, status: int = 200) -> HttpResponse:
    rows = service.keys_of(request.principal).order_by("revoked_at", "-created_at")
    facts: dict[str, Any] = {"form": form, "page": selectors_pages.page_of(request, rows)}
    return show(request, "registry/signing_keys.html", facts, status)


@page(GET="signing_key.view", POST="signing_key.add")
def signing_keys(request: PageRequest) -> HttpResponse:
    if request.method == "GET":
        return _show(request, SigningKeyForm())
    form = SigningKeyForm(request.POST)
    if not form.is_valid():
        return _show(request, form, 400)
    try:
        service.add_key(request.principal, **form.cleaned_data)
    except PortalError as error:
        return _show(request, form, blame(form, error))
    return go(request, "signing-keys", said=_("The key is added: what it signs is taken from now on."))


@page(GET="signing_key.revoke", POST="signing_key.revoke")
def revoke(request: PageRequest, key_id: int) -> HttpResponse:
    """Asks first, as there is no way back."""
    if request.method == "GET":
        key = service.keys_of(request.principal).filter(pk=key_id, revoked_at=None).first()
        if key is None:
            raise NotFound(_("There is no such signing key, or it is not yours."))
        return show(request, "registry/signing_key_revoke.html", {"key": key})
    service.revoke_key(request.principal, key_id)
    return go(request, "signing-keys", said=_("The key is revoked: what it signs is refused from now on."))
