"""Routes of the desk's pages; references, never row ids."""

from django.urls import path

from servicedesk.desk import views

app_name = "desk"
urlpatterns = [
    path("", views.queue, name="queue"),
    path("new/", views.new, name="new"),
    path("<str:reference>/", views.incident, name="incident"),
    path("<str:reference>/files/<uuid:key>/", views.file, name="file"),
    path("<str:reference>/<slug:verb>/", views.act, name="act"),
]
