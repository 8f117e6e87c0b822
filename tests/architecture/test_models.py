"""The data rules: links point downwards, what a person edits has history, pairs are tied."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.db import models

from audit.models import Tracked
from tests.architecture.tree import APPS, LAYER

OURS = [
    model
    for model in apps.get_models()
    if model._meta.app_label in APPS and not model.__name__.startswith("Historical")
]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_foreign_keys_point_downwards(model: type[models.Model]) -> None:
    for field in model._meta.get_fields():
        if isinstance(field, models.ForeignKey) and field.related_model._meta.app_label in LAYER:
            target = field.related_model._meta.app_label
            assert target == model._meta.app_label or LAYER[target] < LAYER[model._meta.app_label], field


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_links_across_apps_leave_no_trace_on_the_lower_model(model: type[models.Model]) -> None:
    for field in model._meta.get_fields():
        if isinstance(field, models.ForeignKey) and field.related_model._meta.app_label != model._meta.app_label:
            assert field.remote_field.related_name == "+", f"{field}: related_name='+'"


@pytest.mark.parametrize(
    "model", [one for one in OURS if issubclass(one, Tracked)], ids=lambda model: model._meta.label
)
def test_what_a_person_edits_has_history(model: type[models.Model]) -> None:
    assert hasattr(model, "history")


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_instants_end_in_at_and_dates_in_on(model: type[models.Model]) -> None:
    for field in model._meta.concrete_fields:
        if isinstance(field, models.DateTimeField):
            assert field.name.endswith(("_at", "_until", "_before")) or field.name in {
                "at",
                "last_login",
                "date_joined",
            }, field
        elif isinstance(field, models.DateField):
            assert field.name.endswith("_on") or field.name == "date", field


@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_many_to_many_goes_through_a_model_with_history(model: type[models.Model]) -> None:
    for field in model._meta.many_to_many:
        if field.name != "user_permissions":
            through = field.remote_field.through
            assert through is not None, field
            assert not through._meta.auto_created, field
