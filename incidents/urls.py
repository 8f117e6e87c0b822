"""The addresses of the pages on which incidents' rules are set."""

from django.urls import path

from incidents import views

app_name = "policies"
urlpatterns = [
    path("routing/", views.routing, name="routing"),
]
