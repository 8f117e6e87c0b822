"""Reads over policies and pages: which policy pages, whom its targets mean now, who is next."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef

from accounts.models import RoleGrant, User
from accounts.queries import members_of
from accounts.roles import Role
from audit.queries import fetch, kept
from incidents.models import Incident
from incidents.permissions import RESPONDERS
from notify.models import token_hash
from oncall.models import BreachRule, EscalationPolicy, Page, PageState, PolicyAssignment, ResponderLink, Schedule
from oncall.queries.rotas import who_is_on_call
from oncall.steps import next_step


def policy_of(incident: Incident) -> EscalationPolicy | None:
    """The active policy that pages for an incident: that of its service, else of its team."""
    if not incident.service_id and not incident.team_id:
        return None
    by_service, by_team = kept("oncall.assignments", _assigned)
    return by_service.get(incident.service_id) or by_team.get(incident.team_id)


def major_policy(incident: Incident) -> EscalationPolicy | None:
    """Who is paged about a proposed major incident: the policy that the setting names, else the incident's own."""
    name = settings.SERVICEDESK_MAJOR_POLICY
    named = EscalationPolicy.objects.filter(name=name, is_active=True).first() if name else None
    return named or policy_of(incident)


def deciders() -> list[User]:
    """The incident managers, else the admins."""
    return list(User.objects.active().filter(groups__name=Role.INCIDENT_MANAGER).order_by("pk").distinct()) or admins()


def _assigned() -> tuple[dict[int | None, EscalationPolicy], dict[int | None, EscalationPolicy]]:
    """The active policies by service and by team."""
    policies = {one.pk: one for one in fetch(EscalationPolicy, "where is_active")}
    found: tuple[dict[int | None, EscalationPolicy], dict[int | None, EscalationPolicy]] = ({}, {})
    for one in fetch(PolicyAssignment, "") if policies else ():
        if policy := policies.get(one.policy_id):
            found[one.service_id is None][one.service_id or one.team_id] = policy
    return found


def snapshot_of(policy: EscalationPolicy, *, delay_scale: float = 1.0, chain: Iterable[int] = ()) -> dict[str, Any]:
    """The policy as a page keeps it. `chain` holds the policies that fell back to this one, so that none loops."""
    levels = [
        {
            "position": level.position,
            "delay_s": level.delay_s,
            "targets": [
                {"user": one.user_id, "team": one.team_id, "schedule": one.schedule_id, "label": str(one)}
                for one in level.targets.all()
            ],
        }
        for level in policy.levels.prefetch_related("targets__user", "targets__team", "targets__schedule")
    ]
    return {
        "policy": policy.pk,
        "name": policy.name,
        "urgency": policy.urgency,
        "repeats": policy.repeats,
        "ack_timeout_s": policy.ack_timeout_s,
        "levels": levels,
        "fallback": {
            "user": policy.fallback_user_id, "team": policy.fallback_team_id, "policy": policy.fallback_policy_id,
        },
        "delay_scale": delay_scale,
        "chain": [*chain, policy.pk],
    }  # fmt: skip


def people_of_targets(targets: Iterable[dict[str, Any]], at: datetime) -> list[User]:
    """Whom targets of a snapshot mean at an instant: active people who may respond, each once, in order."""
    found: dict[int, User] = {}
    for target in targets:
        for user in _people_of(target, at):
            found.setdefault(user.pk, user)
    able = responders_among(found)
    return [user for user in found.values() if user.pk in able]


def responders_among(user_ids: Iterable[int]) -> frozenset[int]:
    """Who of them has a role by which one confirms and works on an incident."""
    wanted = list(user_ids)
    if not wanted:
        return frozenset()
    held = RoleGrant.objects.filter(user_id__in=wanted, group__name__in=RESPONDERS)
    return frozenset(held.values_list("user_id", flat=True))


def _people_of(target: dict[str, Any], at: datetime) -> list[User]:
    if target.get("user"):
        return list(User.objects.active().filter(pk=target["user"]))
    if target.get("team"):
        return members_of(target["team"])
    schedule = Schedule.objects.filter(pk=target.get("schedule") or 0).first()
    return who_is_on_call(schedule, at) if schedule else []


def next_people(page: Page, at: datetime) -> list[User]:
    """Who is paged when nobody confirms: the people of the page's next step, as things are now."""
    levels = page.levels
    step = next_step(levels=len(levels), round=page.round, level=page.level, last_round=page.last_round)
    if step is None:
        return people_of_targets(fallback_targets(page), at)
    return people_of_targets(levels[step[1] - 1]["targets"], at)


def fallback_targets(page: Page) -> list[dict[str, Any]]:
    fallback = page.snapshot["fallback"]
    return [{kind: fallback[kind]} for kind in ("user", "team") if fallback.get(kind)]


def unreached_levels(page: Page) -> list[int]:
    """The levels on which no round reached anybody: asked in vain is another thing than not asked at all."""
    told = set(page.notifications.values_list("level", flat=True).distinct())
    return [number for number in range(1, len(page.levels) + 1) if number not in told]


def unreached_of(page: Page) -> dict[str, Any]:
    """What an exhausted page says of why: nobody confirmed, or some level or all of them reached nobody."""
    levels = unreached_levels(page) if page.state == PageState.EXHAUSTED else []
    return {"unreached": ", ".join(map(str, levels)), "unreached_all": len(levels) == len(page.levels)}


def admins() -> list[User]:
    return list(User.objects.active().filter(groups__name=Role.ADMIN).order_by("pk").distinct())


def open_pages(incident_id: int) -> list[Page]:
    """The pages of an incident that may still do something, locked, in id order; the incident is locked before."""
    rows = Page.objects.open().filter(incident_id=incident_id)
    return list(rows.select_for_update(of=("self",), no_key=True).select_related("acknowledged_by").order_by("id"))


def pages_of(incident: Incident) -> list[Page]:
    """The pages of an incident for its page, the newest first."""
    return list(Page.objects.filter(incident=incident).select_related("acknowledged_by").order_by("-id"))


def link_of(token: str) -> ResponderLink | None:
    """The link of a token, with what its page shows; None for an unknown token and for who left or lost all roles."""
    roles = RoleGrant.objects.filter(user_id=OuterRef("user_id"), group__name__in=RESPONDERS)
    return (
        ResponderLink.objects.filter(Exists(roles), token_hash=token_hash(token), user__is_active=True)
        .select_related("user", "page__incident__service", "page__acknowledged_by").first()
    )  # fmt: skip


def shares_that_page() -> frozenset[tuple[str, int]]:
    """(target, percent) of the active breach rules, an empty target being any: most clocks reach none of them."""
    return frozenset(BreachRule.objects.filter(is_active=True).values_list("target", "percent"))
