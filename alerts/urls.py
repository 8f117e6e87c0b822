"""The intake's addresses, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from alerts.api import IntakeByHeaderView, IntakeView

urlpatterns = [
    path("intake/", IntakeByHeaderView.as_view(), name="intake"),
    path("intake/<str:key>/", IntakeView.as_view(), name="intake-key"),
]
