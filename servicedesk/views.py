"""What is asked of the desk as a whole: where to begin, whether it lives, whether it is ready, what it counts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from servicedesk import readiness


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Sends each role to where its work is."""
    if not request.user.is_authenticated:
        return redirect("login")
    return redirect("desk:queue")


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Whether this process answers; it asks nothing else, so that a broken database doesn't get it killed."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether the promise can be kept now: 503 when a part is missing, with each part's state."""
    checks = readiness.checks()
    ready = all(one["ok"] for one in checks.values())
    return JsonResponse({"status": "ready" if ready else "not ready", "checks": checks}, status=200 if ready else 503)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The same figures for Prometheus; they name no person and no incident."""
    registry = CollectorRegistry()
    ok = Gauge("servicedesk_check_ok", "1 when the check passes", ["check"], registry=registry)
    value = Gauge("servicedesk_check_value", "The figure behind the check", ["check", "figure"], registry=registry)
    for name, check in readiness.checks().items():
        ok.labels(name).set(1 if check["ok"] else 0)
        for figure, number in check.items():
            if figure != "ok" and isinstance(number, int | float):
                value.labels(name, figure).set(number)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
