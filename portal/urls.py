"""Every route of Django. Predictions usually don't get here: the lane in `portal/asgi.py` answers them first."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from csp.decorators import csp_update
from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.staticfiles.storage import staticfiles_storage
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from inference.api import urls as inference_api
from portal import health

admin.autodiscover()
# One sign-in for everybody, with its throttle.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

# Swagger UI writes style attributes; scripts stay as strict as everywhere.
swagger_page = csp_update({"style-src": ["'unsafe-inline'"]})(
    SpectacularSwaggerSplitView.as_view(url_name="api-schema")
)
# For pages that name no icon of their own: the admin's, and Swagger's.
_icon_url = lazy(staticfiles_storage.url, str)("portal/img/favicon.svg")
favicon = login_not_required(RedirectView.as_view(url=_icon_url))

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("api/schema", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs", swagger_page, name="api-docs"),
    path("favicon.ico", favicon),
    path("api/v1/", include("registry.api.urls")),
    path("api/v1/", include(inference_api.management)),
    path("", include(inference_api.protocol)),
    path("", include("registry.mlflow.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("portal.page_urls")),
    path("", include("registry.pages.urls")),
    path("", include("inference.pages.urls")),
]

handler400 = "portal.failures.bad_request"
handler403 = "portal.failures.forbidden"
handler404 = "portal.failures.not_found"
handler500 = "portal.failures.server_error"
