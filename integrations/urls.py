"""Routes of the pages about received mail."""

from django.urls import path

from integrations import views

app_name = "integrations"
urlpatterns = [
    path("mail/", views.mails, name="mails"),
    path("mail/<uuid:key>/", views.mail, name="mail"),
    path("mail/<uuid:key>/raw/", views.raw, name="raw"),
    path("mail/<uuid:key>/<slug:verb>/", views.decide, name="decide"),
]
