"""Mounted at the root: the trial's mailbox, and the links that verify contacts."""

from django.urls import path

from notify import views

app_name = "notify"
urlpatterns = [
    path("mailbox/", views.mailbox, name="mailbox"),
    path("mailbox/<int:pk>/", views.mailbox_mail, name="mailbox-mail"),
    path("contacts/<str:token>/", views.verify, name="verify"),
]
