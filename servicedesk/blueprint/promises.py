"""What a settings file holds of promises and of who answers: calendars, SLA policies, rotas, escalation, templates."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import oncall.actions
import postmortems.actions
from accounts.models import Organisation, Team
from audit.actions import Invalid
from audit.actor import Actor
from incidents.models import Category, Service
from oncall.models import EscalationPolicy, Layer, Level, PolicyAssignment, Schedule
from postmortems.models import Template, TemplateSection
from servicedesk.blueprint.kinds import Categories, Kind, category_named, filled, named, person
from sla.models import Calendar, SlaPolicy

_LAYER = ("name", "priority", "unit", "shift_length", "n_on_at_once", "start_on", "handover_time", "ends_at",
          "restrictions")  # fmt: skip
_SECTION = ("title", "guidance", "kind", "is_required")


def _iso(value: Any) -> Any:
    if isinstance(value, dt.time):
        return value.isoformat(timespec="auto" if value.second or value.microsecond else "minutes")
    return value.isoformat() if isinstance(value, dt.date) else value


def _defaults(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _iso(getattr(row, name)) for name in names}


class Calendars(Kind):
    section, model = "calendars", Calendar
    fields = ("zone", "week", "holidays", "special", "country", "region")


class SlaPolicies(Kind):
    section, model = "sla_policies", SlaPolicy
    fields = (
        "position", "is_active", "priorities", "kinds", "categories", "services", "teams", "organisations", "calendar",
        "targets", "pause_reasons", "resolve_stops_at", "on_priority_change", "on_reopen", "thresholds",
        "repeat_percent", "on_breach", "auto_close_days",
    )  # fmt: skip

    def whole(self, given: dict[str, Any]) -> dict[str, Any]:
        return filled(given, "thresholds", {"actions": []})

    def show(self, row: Any, name: str) -> Any:
        value = super().show(row, name)
        match name:
            case "calendar":
                return value.name
            case "categories":
                return [Categories().key_of(one) for one in _in_order(Category, value)]
            case "services" | "teams":
                return [one.slug for one in _in_order(Service if name == "services" else Team, value)]
            case "organisations":
                return [one.name for one in _in_order(Organisation, value)]
            case "thresholds":
                return [{**one, "actions": _acts_shown(one.get("actions", []))} for one in value]
            case "on_breach":
                return _acts_shown(value)
        return value

    def read(self, name: str, value: Any) -> Any:
        match name:
            case "calendar":
                return named(Calendar, "name", value, name)
            case "categories":
                return [one.pk for path in _list(value, name) if (one := category_named(path, name))]
            case "services" | "teams":
                model: Any = Service if name == "services" else Team
                return [named(model, "slug", slug, name).pk for slug in _list(value, name)]
            case "organisations":
                return [named(Organisation, "name", one, name).pk for one in _list(value, name)]
            case "thresholds":
                return [
                    {**one, "actions": _acts_read(one.get("actions", []), name)} if isinstance(one, dict) else one
                    for one in _list(value, name)
                ]
            case "on_breach":
                return _acts_read(value, name)
        return value


def _plainly(values: dict[str, Any]) -> dict[str, Any]:
    """Choices as the words that they are kept as."""
    return {name: str(value) if isinstance(value, str) else value for name, value in values.items()}


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid(f"{where} is a list", field=where)
    return value


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid(f"{where} is a mapping", field=where)
    return value


def _in_order(model: Any, ids: list[int]) -> list[Any]:
    rows = model._default_manager.in_bulk(ids)
    return [rows[one] for one in ids if one in rows]


def _acts_shown(acts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    teams = Team.objects.in_bulk([act["team"] for act in acts if "team" in act])
    return [{**act, "team": teams[act["team"]].slug} if act.get("team") in teams else act for act in acts]


def _acts_read(acts: Any, where: str) -> list[Any]:
    return [
        {**act, "team": named(Team, "slug", act["team"], where).pk} if isinstance(act, dict) and "team" in act else act
        for act in _list(acts, where)
    ]


class Schedules(Kind):
    """Rotas with their layers; overrides are of the day and stay out."""

    section, model = "schedules", Schedule
    fields = ("zone", "team", "layers")

    def whole(self, given: dict[str, Any]) -> dict[str, Any]:
        found = filled(given, "layers", _plainly(_defaults(Layer(), _LAYER)) | {"members": []})
        for layer in found.get("layers") or ():
            with contextlib.suppress(TypeError, ValueError):  # what is no time is refused when it is read
                layer["handover_time"] = _iso(dt.time.fromisoformat(layer["handover_time"]))
        return found

    def show(self, row: Any, name: str) -> Any:
        if name == "team":
            return row.team and row.team.slug
        if name == "layers":
            return [
                {
                    **{part: _iso(getattr(layer, part)) for part in _LAYER},
                    "members": [one.user.email for one in layer.members.select_related("user").order_by("position")],
                }
                for layer in row.layers.order_by("pk")
            ]
        return super().show(row, name)

    def read(self, name: str, value: Any) -> Any:
        if name == "team":
            return named(Team, "slug", value, name)
        if name == "layers":
            return [self._layer(one, f"layers.{place}") for place, one in enumerate(_list(value, name))]
        return value

    def _layer(self, given: Any, where: str) -> dict[str, Any]:
        values = _mapping(given, where)
        if unknown := sorted(set(values) - {*_LAYER, "members"}):
            raise Invalid(f"{unknown[0]} is nothing that a layer has", field=where, remedy="leave it out")
        readers = {"start_on": dt.date, "handover_time": dt.time, "ends_at": dt.datetime}
        try:
            moments = {
                name: reader.fromisoformat(values[name])  # type: ignore[attr-defined]
                for name, reader in readers.items()
                if values.get(name) is not None
            }
        except (TypeError, ValueError) as error:
            raise Invalid(f"{error}", field=where, remedy="write dates like 2026-03-02 and times like 09:00") from error
        members = [person(one, f"{where}.members") for one in _list(values.get("members", []), f"{where}.members")]
        return {**values, **moments, "members": members}

    def save(self, row: Any | None, given: Mapping[str, Any], by: Actor, at: datetime) -> None:
        oncall.actions.save_schedule(schedule=row, values=self.values(given), by=by, at=at)


class EscalationPolicies(Kind):
    """Policies with their levels, and the services and teams that they page for."""

    section, model = "escalation_policies", EscalationPolicy
    leans_on = "fallback_policy"
    fields = (
        "is_active", "priority_threshold", "urgency", "repeats", "ack_timeout_s", "fallback_user", "fallback_team",
        "fallback_policy", "levels", "services", "teams",
    )  # fmt: skip

    def whole(self, given: dict[str, Any]) -> dict[str, Any]:
        return filled(given, "levels", {"delay_s": Level().delay_s, "targets": []})

    def show(self, row: Any, name: str) -> Any:
        match name:
            case "fallback_user":
                return row.fallback_user and row.fallback_user.email
            case "fallback_team":
                return row.fallback_team and row.fallback_team.slug
            case "fallback_policy":
                return row.fallback_policy and row.fallback_policy.name
            case "levels":
                levels = row.levels.order_by("position").prefetch_related("targets__user", "targets__team")
                return [
                    {"delay_s": one.delay_s, "targets": [_target(target) for target in one.targets.order_by("pk")]}
                    for one in levels
                ]
            case "services" | "teams":
                rows = PolicyAssignment.objects.filter(policy=row).order_by("pk")
                found = [one.service if name == "services" else one.team for one in rows]
                return sorted(one.slug for one in found if one is not None)
        return super().show(row, name)

    def read(self, name: str, value: Any) -> Any:
        match name:
            case "fallback_user":
                return person(value, name)
            case "fallback_team":
                return named(Team, "slug", value, name)
            case "fallback_policy":
                return named(EscalationPolicy, "name", value, name)
            case "levels":
                return [self._level(one, f"levels.{place}") for place, one in enumerate(_list(value, name))]
            case "services" | "teams":
                model: Any = Service if name == "services" else Team
                return [named(model, "slug", slug, name) for slug in _list(value, name)]
        return value

    def _level(self, given: Any, where: str) -> dict[str, Any]:
        values = _mapping(given, where)
        if unknown := sorted(set(values) - {"delay_s", "targets"}):
            raise Invalid(f"{unknown[0]} is nothing that a level has", field=where, remedy="leave it out")
        targets = [_mapping(one, f"{where}.targets") for one in _list(values.get("targets", []), f"{where}.targets")]
        return {**values, "targets": [_target_read(one, f"{where}.targets") for one in targets]}

    def save(self, row: Any | None, given: Mapping[str, Any], by: Actor, at: datetime) -> None:
        values = self.values(given)
        assigned = {name: values.pop(name) for name in ("services", "teams") if name in values}
        policy = row
        if row is None or values.keys() - {"name"}:
            policy = oncall.actions.save_policy(policy=row, values=values, by=by, at=at)
        for name, wanted in assigned.items():
            self._assign(policy, name.removesuffix("s"), wanted, by, at)

    def _assign(self, policy: Any, name: str, wanted: list[Any], by: Actor, at: datetime) -> None:
        for one in wanted:
            oncall.actions.assign_policy(policy=policy, by=by, at=at, **{name: one})
        for row in PolicyAssignment.objects.filter(policy=policy).exclude(**{name: None}):
            if getattr(row, name) not in wanted:
                oncall.actions.assign_policy(policy=None, by=by, at=at, **{name: getattr(row, name)})


def _target(target: Any) -> dict[str, str]:
    if target.user is not None:
        return {"user": target.user.email}
    return {"team": target.team.slug} if target.team is not None else {"schedule": target.schedule.name}


def _target_read(target: dict[str, Any], where: str) -> dict[str, Any]:
    readers: dict[str, Callable[[Any], Any]] = {
        "user": lambda key: person(key, where),
        "team": lambda key: named(Team, "slug", key, where),
        "schedule": lambda key: named(Schedule, "name", key, where),
    }
    if unknown := sorted(set(target) - set(readers)):
        raise Invalid(f"{unknown[0]} is no target", field=where, remedy="name a user, a team or a schedule")
    return {kind: readers[kind](key) for kind, key in target.items()}


class PostmortemTemplates(Kind):
    section, model = "postmortem_templates", Template
    fields = ("description", "needs_second_person", "is_active", "sections")

    def whole(self, given: dict[str, Any]) -> dict[str, Any]:
        return filled(given, "sections", _plainly(_defaults(TemplateSection(), _SECTION)))

    def show(self, row: Any, name: str) -> Any:
        if name == "sections":
            sections: Iterable[Any] = row.sections.order_by("position")
            return [{part: getattr(one, part) for part in _SECTION} for one in sections]
        return super().show(row, name)

    def save(self, row: Any | None, given: Mapping[str, Any], by: Actor, at: datetime) -> None:
        values = dict(given)
        sections = values.pop("sections", None)
        parts = None if sections is None else [_mapping(one, "sections") for one in _list(sections, "sections")]
        postmortems.actions.save_template(template=row, values=values, sections=parts, by=by, at=at)
