"""The URL map: the API root mounts each app's routes, everything else is a page."""

from __future__ import annotations

from itertools import chain

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

import accounts.api
import alerts.api
import incidents.api
import integrations.api
import metrics.api
import notify.api
import oncall.api
import postmortems.api
import servicedesk.api
import servicedesk.trail.api
import sla.api
from audit.rest import not_found
from servicedesk import views

router = SimpleRouter()
# Incidents first: patterns are tried in this order, and most calls are theirs.
for prefix, viewset in chain(
    incidents.api.ROUTES,
    accounts.api.ROUTES,
    alerts.api.ROUTES,
    integrations.api.ROUTES,
    metrics.api.ROUTES,
    notify.api.ROUTES,
    oncall.api.ROUTES,
    postmortems.api.ROUTES,
    servicedesk.api.ROUTES,
    servicedesk.trail.api.ROUTES,
    sla.api.ROUTES,
):
    router.register(prefix, viewset, basename=prefix)

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("accounts/", include("accounts.urls")),
    path("help/", include("servicedesk.portal.urls")),
    path("api/v1/", include("alerts.urls")),
    path("api/v1/", include(router.urls)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
    path("desk/", include("servicedesk.desk.urls")),
    path("audit/", include("servicedesk.trail.urls")),
    path("setup/", include("servicedesk.setup.urls")),
    path("r/", include("oncall.urls")),
    path("policies/", include("incidents.urls")),
    path("postmortems/", include("postmortems.urls")),
    path("reports/", include("metrics.urls")),
    path("", include("integrations.urls")),
    path("", include("notify.urls")),
    re_path(r"^api/", csrf_exempt(not_found)),
]
