"""Forms of the admin: a rota and a policy with their parts as one thing, checked by the same actions as the API."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, ClassVar

from django import forms
from django.utils.dateparse import parse_date, parse_datetime, parse_time
from django.utils.translation import gettext_lazy as _

from accounts.models import Team, User
from oncall.models import EscalationPolicy, Schedule

_LAYER_TEXTS = ("name", "unit")
_LAYER_NUMBERS = ("priority", "shift_length", "n_on_at_once")


class _Parts(forms.JSONField):
    """A list of objects, as readable JSON."""

    widget = forms.Textarea

    def __init__(self, **more: Any) -> None:
        super().__init__(widget=forms.Textarea(attrs={"rows": 14, "cols": 100}), **more)

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)

    def to_python(self, value: Any) -> Any:
        parsed = super().to_python(value)
        if parsed is not None and not (isinstance(parsed, list) and all(isinstance(one, dict) for one in parsed)):
            raise forms.ValidationError(_("Give a list of objects, as in the example."))
        return parsed or []


def _person(value: Any) -> User:
    user = User.objects.filter(email=str(value)).first()
    if user is None:
        raise forms.ValidationError(_("Nobody has the mail address %(value)s."), params={"value": value})
    return user


def _named(model: Any, value: Any) -> Any:
    found = model.objects.filter(name=str(value)).first()
    if found is None:
        raise forms.ValidationError(_("There is none named %(value)s."), params={"value": value})
    return found


def _instant(value: Any, parse: Any) -> Any:
    try:
        found = parse(str(value))
    except ValueError:
        found = None
    if found is None or (isinstance(found, dt.datetime) and found.tzinfo is None):
        raise forms.ValidationError(_("%(value)s is no date or time of the kind needed."), params={"value": value})
    return found


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A schedule with its layers and overrides; people by mail address, times of overrides with their offset."""

    layers = _Parts(
        label=_("Layers"), required=False,
        help_text=_(
            '[{"name": "Weekly", "unit": "weekly", "shift_length": 1, "start_on": "2026-01-05", "handover_time": '
            '"09:00", "priority": 0, "restrictions": [], "members": ["olu@example.org", "wen@example.org"]}]'
        ),
    )  # fmt: skip
    overrides = _Parts(
        label=_("Overrides"), required=False,
        help_text=_('[{"user": "ada@example.org", "starts_at": "2026-03-02T09:00Z", "ends_at": "2026-03-02T17:00Z"}]'),
    )  # fmt: skip

    class Meta:
        model = Schedule
        fields: ClassVar[list[str]] = ["name", "zone", "team"]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.instance.pk:
            self.initial["layers"] = [_shown_layer(one) for one in self.instance.layers.all()]
            self.initial["overrides"] = [
                {"user": one.user.email, "starts_at": one.starts_at.isoformat(), "ends_at": one.ends_at.isoformat()}
                for one in self.instance.overrides.select_related("user")
            ]

    def clean_layers(self) -> list[dict[str, Any]]:
        return [_layer(one) for one in self.cleaned_data["layers"]]

    def clean_overrides(self) -> list[dict[str, Any]]:
        return [
            {
                "user": _person(one.get("user")),
                "starts_at": _instant(one.get("starts_at"), parse_datetime),
                "ends_at": _instant(one.get("ends_at"), parse_datetime),
            }
            for one in self.cleaned_data["overrides"]
        ]


def _shown_layer(layer: Any) -> dict[str, Any]:
    return {
        **{name: getattr(layer, name) for name in (*_LAYER_TEXTS, *_LAYER_NUMBERS)},
        "start_on": layer.start_on.isoformat(),
        "handover_time": layer.handover_time.strftime("%H:%M"),
        "ends_at": layer.ends_at.isoformat() if layer.ends_at else None,
        "restrictions": layer.restrictions,
        "members": [one.user.email for one in layer.members.select_related("user").order_by("position")],
    }


def _layer(given: dict[str, Any]) -> dict[str, Any]:
    known = {*_LAYER_TEXTS, *_LAYER_NUMBERS, "start_on", "handover_time", "ends_at", "restrictions", "members"}
    if unknown := set(given) - known:
        raise forms.ValidationError(_("A layer has no %(names)s."), params={"names": ", ".join(sorted(unknown))})
    values = dict(given)
    values["start_on"] = _instant(given.get("start_on"), parse_date)
    values["handover_time"] = _instant(given.get("handover_time"), parse_time)
    values["ends_at"] = _instant(given["ends_at"], parse_datetime) if given.get("ends_at") else None
    values["members"] = [_person(one) for one in given.get("members") or []]
    values["restrictions"] = given.get("restrictions") or []
    return values


class EscalationPolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    """A policy with its levels; people by mail address, teams and schedules by name."""

    levels = _Parts(
        label=_("Levels"),
        help_text=_(
            '[{"delay_s": 300, "targets": [{"schedule": "Platform primary"}]}, '
            '{"delay_s": 600, "targets": [{"user": "wen@example.org"}, {"team": "Platform"}]}]'
        ),
    )  # fmt: skip

    class Meta:
        model = EscalationPolicy
        fields: ClassVar[list[str]] = [
            "name", "is_active", "priority_threshold", "urgency", "repeats", "ack_timeout_s", "fallback_user",
            "fallback_team", "fallback_policy",
        ]  # fmt: skip

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.instance.pk:
            levels = self.instance.levels.prefetch_related("targets__user", "targets__team", "targets__schedule")
            self.initial["levels"] = [
                {"delay_s": level.delay_s, "targets": [_shown_target(one) for one in level.targets.all()]}
                for level in levels
            ]

    def clean_levels(self) -> list[dict[str, Any]]:
        levels = []
        for given in self.cleaned_data["levels"]:
            targets = given.get("targets")
            if set(given) - {"delay_s", "targets"} or not isinstance(targets, list):
                raise forms.ValidationError(_("A level has delay_s and targets, and nothing else."))
            delay_s = given.get("delay_s", 300)
            levels.append({"delay_s": delay_s, "targets": [_target(one) for one in targets]})
        return levels


def _shown_target(target: Any) -> dict[str, str]:
    if target.user:
        return {"user": target.user.email}
    return {"team": target.team.name} if target.team else {"schedule": target.schedule.name}


def _target(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or len(given) != 1 or not set(given) <= {"user", "team", "schedule"}:
        raise forms.ValidationError(_("A target is a user, a team or a schedule: just one."))
    [(kind, value)] = given.items()
    if kind == "user":
        return {"user": _person(value)}
    return {kind: _named(Team if kind == "team" else Schedule, value)}
