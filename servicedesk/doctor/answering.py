"""Whether somebody answers: rotas, escalation policies, contacts, teams, administrators, calendars."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from accounts.models import RoleGrant, Team, User
from accounts.queries import members_of
from accounts.roles import Role
from audit.models import Delivery, UnattributedWrite
from incidents.models import Service
from notify.models import Contact
from oncall.models import EscalationPolicy, LevelTarget, PolicyAssignment, RotationMember, Schedule
from oncall.queries import gaps_of, responders_among
from servicedesk.doctor.findings import Finding, Level, about, list_of, page_of
from sla.models import Calendar

GAPS_WITHIN, CALENDAR_WITHIN, WRITES_WITHIN = timedelta(days=30), timedelta(days=60), timedelta(days=30)
#: From here down a service is worth a page at night.
CRITICAL = 2


def rotas_with_gaps(at: datetime) -> list[Finding]:
    """Spans of the next 30 days in which nobody active is on call; worse where a policy counts on the rota."""
    used = set(LevelTarget.objects.filter(schedule__isnull=False).values_list("schedule_id", flat=True))
    found = []
    for schedule in Schedule.objects.order_by("name"):
        gaps = gaps_of(schedule, at, at + GAPS_WITHIN)
        if gaps:
            level = Level.WARNING if schedule.pk in used else Level.NOTE
            text = _("Nobody is on call in %(name)s, first from %(begin)s to %(end)s UTC.") % {
                "name": schedule, "begin": f"{gaps[0][0]:%Y-%m-%d %H:%M}", "end": f"{gaps[0][1]:%Y-%m-%d %H:%M}",
            }  # fmt: skip
            found.append(Finding("rotas-with-gaps", level, text, page_of(schedule), len(gaps), (str(schedule),)))
    return found


def policies_with_nobody(at: datetime) -> list[Finding]:
    """Active escalation policies with a level, or as a whole, that reaches nobody who may respond."""
    policies = EscalationPolicy.objects.filter(is_active=True).prefetch_related("levels__targets")
    empty = [policy for policy in policies if not policy.levels.all() or any(map(_is_empty, policy.levels.all()))]
    return about(
        "policies-with-nobody", Level.ERROR, _("Escalation policies with a level in which nobody may respond."), empty
    )


def _is_empty(level: object) -> bool:
    people: set[int] = set()
    for target in level.targets.all():  # type: ignore[attr-defined]
        if target.user_id is not None:
            people |= set(User.objects.active().filter(pk=target.user_id).values_list("pk", flat=True))
        elif target.team_id is not None:
            people |= {one.pk for one in members_of(target.team_id)}
        else:
            members = RotationMember.objects.filter(layer__schedule=target.schedule_id, user__is_active=True)
            people |= set(members.values_list("user_id", flat=True))
    return not responders_among(people)


def _on_call_people() -> list[User]:
    """Everybody whom rotas and active policies name."""
    ids = set(RotationMember.objects.values_list("user_id", flat=True))
    targets = LevelTarget.objects.filter(level__policy__is_active=True)
    ids |= set(targets.filter(user__isnull=False).values_list("user_id", flat=True))
    for team in set(targets.filter(team__isnull=False).values_list("team_id", flat=True)):
        ids |= {one.pk for one in members_of(team)}
    return list(User.objects.get_queryset().filter(pk__in=ids).order_by("name", "email"))


def people_unreachable(at: datetime) -> list[Finding]:
    """People on call without a verified contact, without a right to respond, or gone."""
    people = _on_call_people()
    active = [one for one in people if one.is_active]
    reached = set(Contact.objects.usable().filter(user__in=active).values_list("user_id", flat=True))
    able = responders_among(one.pk for one in active)
    link = list_of(Contact)
    return [
        *about("people-unreachable", Level.ERROR, _("People on call without a verified contact."),
               [one for one in active if one.pk not in reached], link),
        *about("people-unreachable", Level.ERROR, _("People on call whose roles do not let them respond."),
               [one for one in active if one.pk not in able]),
        *about("people-unreachable", Level.WARNING, _("People who left and still stand in rotas or policies."),
               [one for one in people if not one.is_active]),
    ]  # fmt: skip


def calendars_running_out(at: datetime) -> list[Finding]:
    """Calendars whose dated holidays end within 60 days: from then on every holiday counts as a working day."""
    limit = (at + CALENDAR_WITHIN).date()
    ending = [one for one in Calendar.objects.order_by("name") if (last := _last_date(one)) and last < limit]
    return about(
        "calendars-running-out", Level.WARNING, _("Calendars whose holidays are entered for less than 60 days."), ending
    )


def _last_date(calendar: Calendar) -> date | None:
    """The last dated day; None where none is dated, or a country fills them in."""
    if calendar.country:
        return None
    dates = [date.fromisoformat(day) for day in calendar.holidays if not day.startswith("--")]
    return max(dates, default=None)


def teams_and_services(at: datetime) -> list[Finding]:
    """Work that would wait for nobody."""
    teams = Team.objects.filter(is_active=True)
    with_people = set(User.objects.active().values_list("memberships__team_id", flat=True))
    services = Service.objects.filter(is_active=True).select_related("owner_team")
    paged = set(PolicyAssignment.objects.filter(policy__is_active=True).values_list("service_id", "team_id"))
    paged_services, paged_teams = {service for service, _team in paged}, {team for _service, team in paged}
    triage = [] if teams.filter(is_triage=True).exists() else [_("No team takes what no rule routes.")]
    return [
        *(Finding("no-triage-team", Level.ERROR, text, list_of(Team), 1) for text in triage),
        *about("teams-without-people", Level.WARNING, _("Teams without anybody."),
               [one for one in teams if one.pk not in with_people]),
        *about("services-without-owner", Level.WARNING, _("Services that no active team owns."),
               [one for one in services if one.owner_team is None or not one.owner_team.is_active]),
        *about("services-without-page", Level.WARNING, _("Critical services whose incidents page nobody."),
               [one for one in services if one.criticality <= CRITICAL and one.pk not in paged_services
                and one.owner_team_id not in paged_teams - {None}]),
    ]  # fmt: skip


def lone_admin(at: datetime) -> list[Finding]:
    """One administrator is one forgotten password away from none."""
    grants: Iterable[RoleGrant] = RoleGrant.objects.filter(group__name=Role.ADMIN).select_related("user")
    able = [one.user for one in grants if one.user.can_sign_in]
    if len(able) > 1:
        return []
    text = _("Fewer than two administrators can sign in.")
    return [Finding("lone-admin", Level.WARNING, text, list_of(User), len(able), tuple(map(str, able)))]


def machinery(at: datetime) -> list[Finding]:
    """Writes that nobody is named for, and work that was given up."""
    writes = UnattributedWrite.objects.filter(at__gt=at - WRITES_WITHIN).order_by("-id")
    given_up = Delivery.objects.filter(given_up_at__isnull=False).order_by("-id")
    return [
        *about("unattributed-writes", Level.ERROR, _("Writes of the last 30 days that no action made."),
               writes, list_of(UnattributedWrite)),
        *about("deliveries-given-up", Level.ERROR, _("Work of handlers that was given up."), given_up,
               list_of(Delivery)),
    ]  # fmt: skip
