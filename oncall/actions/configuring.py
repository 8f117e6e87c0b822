"""Saves rotas and escalation policies with their parts as one thing, and refuses those that would page nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import Team, User
from accounts.queries import members_of
from audit.actions import Forbidden, Invalid, action, assert_fresh, record
from audit.actor import Actor
from audit.events import AuditEvent
from audit.models import Tracked
from incidents.models import Service
from oncall.models import (
    EscalationPolicy,
    Layer,
    Level,
    LevelTarget,
    Override,
    PolicyAssignment,
    RotationMember,
    Schedule,
)
from oncall.permissions import can_change_policy, can_change_schedule
from oncall.queries import layer_of, responders_among
from oncall.rotation import InvalidRotation
from oncall.weekhours import InvalidRestriction

_LAYER = (
    "name",
    "priority",
    "unit",
    "shift_length",
    "n_on_at_once",
    "start_on",
    "handover_time",
    "ends_at",
    "restrictions",
)


def _checked(row: Tracked, where: str = "") -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        fields = error.message_dict
        name = next(iter(fields))
        field = ".".join(part for part in (where, "" if name == "__all__" else name) if part)
        raise Invalid("; ".join(" ".join(texts) for texts in fields.values()), field=field) from error


def _save(row: Tracked, where: str = "") -> None:
    """Validates and writes what changed, so that an unchanged part makes no history row."""
    if row.pk is None or row.changed_fields():
        _checked(row, where)
        row.save()


def _told(row: Tracked, created: bool, by: Actor, at: datetime, fields: Sequence[str]) -> None:
    facts: dict[str, Any] = {"model": row._meta.label_lower, "label": str(row)}
    if created:
        record(AuditEvent.CONFIG_CREATED, row, by, at, **facts)
    else:
        record(AuditEvent.CONFIG_CHANGED, row, by, at, fields=sorted(fields), **facts)


@action
def save_schedule(
    *, values: Mapping[str, Any], by: Actor, at: datetime, schedule: Schedule | None = None,
    expected_version: int | None = None,
) -> Schedule:  # fmt: skip
    """Creates or changes a schedule; `layers` (with `members`) and `overrides` replace what was there when given.

    Refused: without the right over its team, stale, an unknown zone, a bad rotation or restriction, a layer with
    nobody in it. Records `config.created` or `config.changed`.
    """
    created = schedule is None
    row = Schedule() if schedule is None else Schedule.objects.select_for_update().get(pk=schedule.pk)
    assert_fresh(row, expected_version)
    for name in set(values) & {"name", "zone", "team"}:
        setattr(row, name, values[name])
    old_team = None if created else Schedule.objects.values_list("team_id", flat=True).get(pk=row.pk)
    for team_id in {row.team_id} if created else {row.team_id, old_team}:
        if not can_change_schedule(by, team_id):
            raise Forbidden(f"{by.label} may not change this schedule", remedy="ask an admin or the lead of its team")
    row.changed_at = at
    _save(row)
    if "layers" in values:
        _replace_layers(row, values["layers"])
    elif "zone" in values and not created:
        for layer in row.layers.all():
            _check_rotation(layer, row.zone, [one.user_id for one in layer.members.all()], layer.name)
    if "overrides" in values:
        _replace_overrides(row, values["overrides"])
    _told(row, created, by, at, list(values))
    return row


def _replace_layers(schedule: Schedule, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Layers are the same when their name is; people are replaced place by place."""
    known = {one.name: one for one in schedule.layers.all()}
    names = [one.get("name") for one in wanted]
    if len(set(names)) < len(names):
        raise Invalid(_("two layers have the same name"), field="layers", remedy=_("give each its own"))
    for name in set(known) - set(names):
        known[name].delete()
    for index, values in enumerate(wanted):
        where = f"layers.{index}"
        layer = known.get(values.get("name", "")) or Layer(schedule=schedule)
        for name in set(values) & set(_LAYER):
            setattr(layer, name, values[name])
        people = list(values.get("members", []))
        _check_rotation(layer, schedule.zone, [user.pk for user in people], where)
        if not any(user.is_active for user in people):
            raise Invalid(
                _("nobody active is in this layer"), field=f"{where}.members", remedy=_("add somebody or remove it")
            )
        _refuse_who_may_not_respond(people, f"{where}.members")
        _save(layer, where)
        _replace_members(layer, people)


def _refuse_who_may_not_respond(people: Iterable[User], field: str) -> None:
    """A page to somebody who may not confirm it would end in silence."""
    active = [user for user in people if user.is_active]
    able = responders_among(user.pk for user in active)
    if unable := sorted({str(user) for user in active if user.pk not in able}):
        raise Invalid(
            _("%(names)s may not respond to pages") % {"names": ", ".join(unable)}, field=field,
            remedy=_("name others, or give them the role responder first"),
        )  # fmt: skip


def _check_rotation(layer: Layer, zone: str, people: Sequence[int], where: str) -> None:
    _check_required(layer, where)
    if people and layer.n_on_at_once > len(people):
        raise Invalid(
            _("more people on call at once than there are"), field=f"{where}.n_on_at_once", remedy=_("add people")
        )
    try:
        layer_of(layer, zone, people or [0])
    except (InvalidRotation, InvalidRestriction, ValueError) as error:
        field = "restrictions" if isinstance(error, InvalidRestriction) else ""
        raise Invalid(str(error), field=f"{where}.{field}".strip("."), remedy=_("correct the layer")) from error


def _check_required(layer: Layer, where: str) -> None:
    for name in ("start_on", "handover_time"):
        if getattr(layer, name) is None:
            raise Invalid(_("a layer needs this"), field=f"{where}.{name}", remedy=_("give the first hand-over"))


def _replace_members(layer: Layer, people: Sequence[User]) -> None:
    known = {one.position: one for one in layer.members.all()}
    for position in set(known) - set(range(1, len(people) + 1)):
        known[position].delete()
    for position, user in enumerate(people, start=1):
        member = known.get(position) or RotationMember(layer=layer, position=position)
        member.user = user
        _save(member, "layers.members")


def _replace_overrides(schedule: Schedule, wanted: Sequence[Mapping[str, Any]]) -> None:
    known = {(one.user_id, one.starts_at, one.ends_at): one for one in schedule.overrides.all()}
    keys = [(one["user"].pk, one["starts_at"], one["ends_at"]) for one in wanted]
    for key in set(known) - set(keys):
        known[key].delete()
    for index, (key, values) in enumerate(zip(keys, wanted, strict=True)):
        if key not in known:
            _refuse_who_may_not_respond([values["user"]], f"overrides.{index}.user")
            row = Override(schedule=schedule, **{name: values[name] for name in ("user", "starts_at", "ends_at")})
            _save(row, f"overrides.{index}")


@action
def save_policy(
    *, values: Mapping[str, Any], by: Actor, at: datetime, policy: EscalationPolicy | None = None,
    expected_version: int | None = None,
) -> EscalationPolicy:  # fmt: skip
    """Creates or changes an escalation policy; `levels` (with `targets`) replace what was there when given.

    Running pages keep the policy as they started with it. Refused: without the right, stale, without levels, a level
    with nobody in it, a fallback that leads back, repeats without any wait. Records `config.created` or
    `config.changed`.
    """
    if not can_change_policy(by):
        raise Forbidden(f"{by.label} may not change escalation policies", remedy="ask an admin")
    created = policy is None
    # One at a time: two policies that become each other's fallback at once would not see the other's change.
    list(EscalationPolicy.objects.select_for_update().order_by("pk").values_list("pk", flat=True))
    row = EscalationPolicy() if policy is None else EscalationPolicy.objects.get(pk=policy.pk)
    assert_fresh(row, expected_version)
    for name in set(values) - {"levels"}:
        setattr(row, name, values[name])
    row.changed_at = at
    _refuse_loop(row)
    _check_fallback(row)
    _save(row)
    if "levels" in values or created:
        _replace_levels(row, values.get("levels", []))
    _refuse_rush(row)
    _told(row, created, by, at, list(values))
    return row


def _refuse_loop(policy: EscalationPolicy) -> None:
    seen, following = [str(policy)], policy.fallback_policy
    ids = {policy.pk}
    while following is not None:
        seen.append(str(following))
        if following.pk in ids:
            raise Invalid(
                _("the fallback leads back: %(loop)s") % {"loop": " → ".join(seen)}, field="fallback_policy",
                remedy=_("let it end at a person or a team"),
            )  # fmt: skip
        ids.add(following.pk)
        following = following.fallback_policy


def _check_fallback(policy: EscalationPolicy) -> None:
    if policy.fallback_user is not None:
        _refuse_who_may_not_respond([policy.fallback_user], "fallback_user")
    if policy.fallback_team is not None and not _has_somebody({"team": policy.fallback_team}):
        raise Invalid(
            _("nobody in %(team)s may respond to pages") % {"team": policy.fallback_team}, field="fallback_team",
            remedy=_("name another team, or put a responder into it"),
        )  # fmt: skip


def _refuse_rush(policy: EscalationPolicy) -> None:
    """Repeats without a wait would page everybody as often at one instant."""
    if policy.repeats and not sum(level.delay_s for level in policy.levels.all()):
        raise Invalid(
            _("its rounds take no time, so its repeats would page everybody at once"), field="levels",
            remedy=_("give a level a wait, or set repeats to 0"),
        )  # fmt: skip


def _replace_levels(policy: EscalationPolicy, wanted: Sequence[Mapping[str, Any]]) -> None:
    if not wanted:
        raise Invalid(_("a policy needs a level"), field="levels", remedy=_("add one with somebody in it"))
    known = {one.position: one for one in policy.levels.all()}
    for position in set(known) - set(range(1, len(wanted) + 1)):
        known[position].delete()
    for position, values in enumerate(wanted, start=1):
        where = f"levels.{position - 1}"
        level = known.get(position) or Level(policy=policy, position=position)
        if "delay_s" in values:
            level.delay_s = values["delay_s"]
        targets = list(values.get("targets", []))
        _check_targets(targets, where)
        _save(level, where)
        _replace_targets(level, targets, where)


def _check_targets(targets: Sequence[Mapping[str, Any]], where: str) -> None:
    if not any(_has_somebody(one) for one in targets):
        raise Invalid(
            _("nobody is in this level"), field=f"{where}.targets",
            remedy=_("add an active person, or a team or schedule with one"),
        )  # fmt: skip
    _refuse_who_may_not_respond(
        (user for one in targets if isinstance(user := one.get("user"), User)), f"{where}.targets"
    )
    for one in targets:
        if sum(one.get(kind) is not None for kind in ("user", "team", "schedule")) != 1:
            raise Invalid(
                _("a target is a person, a team or a schedule"), field=f"{where}.targets", remedy=_("give just one")
            )
    keys = [_target_key(one) for one in targets]
    if len(set(keys)) < len(keys):
        raise Invalid(_("a target stands twice in the level"), field=f"{where}.targets", remedy=_("once is enough"))


def _has_somebody(target: Mapping[str, Any]) -> bool:
    user, team, schedule = (target.get(kind) for kind in ("user", "team", "schedule"))
    if isinstance(user, User):
        return user.is_active
    if isinstance(team, Team):
        return bool(responders_among(one.pk for one in members_of(team.pk)))
    people = RotationMember.objects.filter(layer__schedule=schedule, user__is_active=True)
    return isinstance(schedule, Schedule) and bool(responders_among(people.values_list("user_id", flat=True)))


def _target_key(target: Mapping[str, Any]) -> tuple[int | None, int | None, int | None]:
    user, team, schedule = (getattr(target.get(kind), "pk", None) for kind in ("user", "team", "schedule"))
    return user, team, schedule


def _replace_targets(level: Level, wanted: Sequence[Mapping[str, Any]], where: str) -> None:
    known = {(one.user_id, one.team_id, one.schedule_id): one for one in level.targets.all()}
    keys = [_target_key(one) for one in wanted]
    for key in set(known) - set(keys):
        known[key].delete()
    for key, values in zip(keys, wanted, strict=True):
        if key not in known:
            kinds = {kind: values.get(kind) for kind in ("user", "team", "schedule")}
            _save(LevelTarget(level=level, **kinds), f"{where}.targets")


@action
def assign_policy(
    *, policy: EscalationPolicy | None, by: Actor, at: datetime, service: Service | None = None,
    team: Team | None = None,
) -> PolicyAssignment | None:  # fmt: skip
    """Lets a policy page for a service, or for a team whose service has none; None takes it away. Idempotent."""
    if not can_change_policy(by):
        raise Forbidden(f"{by.label} may not assign escalation policies", remedy="ask an admin")
    if (service is None) == (team is None):
        raise Invalid(_("choose a service or a team, not both"), field="service")
    row = PolicyAssignment.objects.select_for_update().filter(service=service, team=team).first()
    if policy is None:
        if row is not None:
            label = str(row)
            record(AuditEvent.CONFIG_REMOVED, row, by, at, model=row._meta.label_lower, label=label)
            row.delete()
        return None
    created = row is None
    row = row or PolicyAssignment(service=service, team=team)
    if row.policy_id != policy.pk:
        row.policy = policy
        _save(row)
        _told(row, created, by, at, ["policy"])
    return row
