"""Routes of the desk's pages; references, never row ids."""

from django.urls import path

from servicedesk.desk import bulk, views

app_name = "desk"
urlpatterns = [
    path("", views.queue, name="queue"),
    path("new/", views.new, name="new"),
    path("views/", views.save_view, name="save-view"),
    path("views/<int:pk>/remove/", views.remove_view, name="remove-view"),
    path("bulk/", bulk.choose, name="bulk"),
    path("bulk/<slug:verb>/", bulk.act, name="bulk-act"),
    path("<str:reference>/", views.incident, name="incident"),
    path("<str:reference>/files/<uuid:key>/", views.file, name="file"),
    path("<str:reference>/<slug:verb>/", views.act, name="act"),
]
