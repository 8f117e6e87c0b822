"""The addresses of the numbers."""

from __future__ import annotations

from django.urls import path

from metrics import views

app_name = "reports"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("digests/", views.digests, name="digests"),
    path("numbers.csv", views.export_numbers, name="export_numbers"),
    path("<slug:slug>/", views.metric, name="metric"),
    path("<slug:slug>/rows.csv", views.export_rows, name="export_rows"),
]
