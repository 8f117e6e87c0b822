"""The addresses of the post-mortem pages."""

from __future__ import annotations

from django.urls import path

from postmortems import views

app_name = "postmortems"
urlpatterns = [
    path("", views.listed, name="list"),
    path("<int:pk>/", views.detail, name="detail"),
]
