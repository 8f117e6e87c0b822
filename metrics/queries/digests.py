"""What a digest says, in its reader's language and zone, of the teams whose numbers the reader sees."""

from __future__ import annotations

import zoneinfo
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

import accounts.queries
from audit.actor import Actor
from incidents.models import Incident
from metrics.definitions import GROUPS, METRICS
from metrics.models import Digest
from metrics.permissions import can_see_numbers
from metrics.queries import numbers, words
from metrics.queries.computing import day_of
from metrics.queries.numbers import Asked
from metrics.queries.scope import teams_of

#: Incidents that a digest names; the pages show the rest.
NAMED = 10


def next_at(kind: str, at_time: time, weekday: int, zone: str, after: datetime) -> datetime:
    """The next such moment by the wall clock of a zone; a time that a change of clocks skips falls right behind it."""
    here = zoneinfo.ZoneInfo(zone)
    day: date = after.astimezone(here).date()
    for ahead in range(9):
        on = day + timedelta(days=ahead)
        moment = datetime.combine(on, at_time, tzinfo=here).astimezone(zoneinfo.ZoneInfo("UTC"))
        if moment > after and (kind == Digest.Kind.SHIFT or on.weekday() == weekday):
            return moment
    raise AssertionError("every weekday comes within nine days")


def mail_of(digest: Digest, at: datetime) -> tuple[str, str] | None:
    """Subject and text; None where the reader may no longer see any numbers."""
    actor = accounts.queries.actor_for(digest.user)
    if not digest.user.is_active or not can_see_numbers(actor):
        return None
    with translation.override(digest.user.locale), timezone.override(zoneinfo.ZoneInfo(digest.user.time_zone)):
        if digest.kind == Digest.Kind.WEEKLY:
            return _weekly(actor, at)
        return _shift(actor, digest.since_at, at)


def _asked(actor: Actor, first: date, last: date) -> Asked:
    teams = teams_of(actor)
    return Asked(first=first, last=last, teams=None if teams is None else tuple(sorted(teams)))


def _weekly(actor: Actor, at: datetime) -> tuple[str, str]:
    """The seven whole days before, beside the seven before those."""
    last = day_of(at) - timedelta(days=1)
    asked = _asked(actor, last - timedelta(days=6), last)
    now, before = numbers.numbers(asked), numbers.numbers(asked.before())
    groups = [
        (label, [(now[slug], words.headline(now[slug]), words.headline(before[slug])) for slug in METRICS
                 if METRICS[slug].group == group])
        for group, label in GROUPS
    ]  # fmt: skip
    context = {
        "asked": asked, "groups": groups, "backlog": numbers.backlog(asked, at),
        "link": f"{settings.SERVICEDESK_URL}/reports/?from={asked.first}&to={asked.last}",
    }  # fmt: skip
    subject = _("The week %(first)s to %(last)s in numbers") % {"first": asked.first, "last": asked.last}
    return subject, render_to_string("metrics/mail/weekly.txt", context)


def _shift(actor: Actor, since: datetime, at: datetime) -> tuple[str, str]:
    """What came in and went out since the last one, and what the next shift finds."""
    teams = teams_of(actor)
    open_now = Incident.objects.visible_to(actor).open().filter(is_drill=False, is_restricted=False)
    if teams is not None:
        open_now = open_now.filter(team__in=teams)
    urgent = open_now.filter(priority__lte=2).select_related("team", "assignee").order_by("priority", "number")
    context = {
        "since": since, "at": at, **_counts(_asked(actor, since.date(), at.date()), since, at),
        "by_priority": list(open_now.order_by("priority").values_list("priority").annotate(Count("pk"))),
        "unowned": open_now.filter(assignee=None).count(),
        "urgent": list(urgent[:NAMED]),
        "link": f"{settings.SERVICEDESK_URL}/desk/",
    }  # fmt: skip
    subject = _("Shift until %(at)s: what is open") % {"at": timezone.localtime(at).strftime("%Y-%m-%d %H:%M")}
    return subject, render_to_string("metrics/mail/shift.txt", context)


_COUNTS = """
select count(*) filter (where f.reported_at > %s and f.reported_at <= %s),
    count(*) filter (where f.ended_at > %s and f.ended_at <= %s and f.resolved_on is not null)
from metrics_fact f where f.base = 0 and {condition}
  and (f.reported_on between %s and %s or f.resolved_on between %s and %s)
"""
_MISSED = """
select count(*) from sla_breach b join metrics_fact f on f.incident_id = b.incident_id
where b.at > %s and b.at <= %s and f.base in (0, 2) and {condition}
  and not exists (select from sla_breachvoid v where v.breach_id = b.id)
"""


def _counts(asked: Asked, since: datetime, at: datetime) -> dict[str, Any]:
    condition, values = asked.condition()
    days = (day_of(since), day_of(at))
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS.format(condition=condition), [since, at, since, at, *values, *days, *days])
        reported, resolved = cursor.fetchone()
        cursor.execute(_MISSED.format(condition=condition), [since, at, *values])
        (missed,) = cursor.fetchone()
    return {"reported": reported, "resolved": resolved, "missed": missed}
