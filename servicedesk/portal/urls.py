"""The routes of the requester's pages."""

from __future__ import annotations

from django.urls import path

from servicedesk.portal import links, views

app_name = "help"
urlpatterns = [
    path("", views.home, name="home"),
    path("new/", views.new, name="new"),
    path("c/<str:token>/", links.confirm, name="confirm"),
    path("m/<str:token>/", links.mine, name="mine"),
    path("t/<str:token>/", links.incident, name="incident"),
]
