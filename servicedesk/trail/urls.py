"""Routes of the auditor's pages."""

from django.urls import path

from servicedesk.trail import views

app_name = "trail"
urlpatterns = [
    path("", views.trail, name="trail"),
    path("trail.csv", views.export_trail, name="export_trail"),
    path("access/", views.access, name="access"),
    path("access.csv", views.export_access, name="export_access"),
    path("configuration/", views.configuration, name="configuration"),
]
