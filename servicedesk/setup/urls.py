"""Routes of the pages for administrators."""

from django.urls import path

from servicedesk.setup import views

app_name = "setup"
urlpatterns = [
    path("doctor/", views.doctor, name="doctor"),
    path("settings/", views.settings_file, name="settings"),
    path("settings.yaml", views.settings_yaml, name="settings-yaml"),
    path("mail/", views.mail, name="mail"),
]
