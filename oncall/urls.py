"""The responder's page, mounted at /r/."""

from django.urls import path

from oncall import views

app_name = "oncall"
urlpatterns = [path("<str:token>/", views.responder, name="responder")]
