"""How the desk's pages say a deadline and a clock in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from incidents.models import Channel, State
from servicedesk.desk.sentences import TARGETS
from sla.models import Clock

register = template.Library()


def span(seconds: int) -> str:
    """`1 h 05 min`: two units, the smaller one padded; seconds below a minute."""
    if 0 <= seconds < 60:
        return _("%(seconds)d s") % {"seconds": seconds}
    minutes = max(0, seconds) // 60
    days, hours = divmod(minutes // 60, 24)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": minutes % 60}
    return _("%(minutes)d min") % {"minutes": minutes}


def moment(value: datetime, now: datetime) -> str:
    """A moment in the reader's zone: the time today, the weekday this week, else the date."""
    local, today = timezone.localtime(value), timezone.localtime(now)
    days = abs((local.date() - today.date()).days)
    return date_format(local, "H:i" if days == 0 else "D H:i" if days < 6 else "Y-m-d H:i")


@register.simple_tag
def when(value: datetime | None, now: datetime) -> SafeString:
    """A moment as people say it, with the exact one for machines and on hover."""
    if value is None:
        return format_html("{}", "–")
    local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(timespec="seconds"), f"{local:%Y-%m-%d %H:%M:%S %Z}", moment(value, now),
    )  # fmt: skip


@register.simple_tag
def due(due_at: datetime | None, now: datetime, is_breached: bool = False) -> SafeString:
    """How long until a deadline, or how late; with the moment on hover."""
    if due_at is None:
        return format_html('<span class="soft">{}</span>', _("no deadline"))
    seconds = int((due_at - now).total_seconds())
    late = seconds < 0
    words = (_("late %(span)s") if late else _("%(span)s left")) % {"span": span(abs(seconds))}
    css = "late" if late else "soon" if seconds < 3600 else ""
    local = timezone.localtime(due_at)
    mark = "▲ " if late or is_breached else ""
    return format_html('<span class="{}" title="{}">{}{}</span>', css, f"{local:%a %Y-%m-%d %H:%M %Z}", mark, words)


_ROW = (
    '<tr>\n<td><label class="tick"><input type="checkbox" name="i" value="{}@{}"><span class="hidden">{}</span>'
    "</label> "
    '<span class="badge p{}">P{}</span></td>\n'
    '<td class="wide"><a class="title" href="{}{}/">{}</a><br><span class="soft"><span class="reference">{}</span>{}'
    " · {}</span></td>\n<td>{}</td>\n<td>{}</td>\n"
    '<td>{}<br> <span class="soft">{}</span></td></tr>'
)


@register.simple_tag
def queue_rows(entries: Iterable[Any], now: datetime) -> SafeString:
    """The rows of the queue; as a template they cost more than everything else on the page."""
    states, channels = (dict(some.choices) for some in (State, Channel))
    where = reverse("desk:incident", args=["INC-0"]).removesuffix("INC-0/")
    waits, choose = _("waits until"), _("Choose")

    def cells(one: Any) -> tuple[Any, ...]:
        reference = f"INC-{one.incident__number:06d}"
        name = one.incident__requester__name
        if one.due_at is None and one.incident__hold_until:
            moment = format_html('<span class="soft">{} {}</span>', waits, when(one.incident__hold_until, now))
        else:
            moment = due(one.due_at, now, one.is_breached)
            if one.target:
                moment = format_html('{}<br> <span class="soft">{}</span>', moment, target_name(one.target))
        return (
            reference, one.incident__version, f"{choose} {reference}", one.priority, one.priority, where, reference,
            one.incident__title, reference,
            format_html(" · {}", name) if name else "", channels[one.incident__channel], moment,
            states[one.incident__state], one.assignee__name or "–", one.team__name or "",
        )  # fmt: skip

    return format_html_join("\n", _ROW, map(cells, entries))


@register.simple_tag
def target_name(target: str) -> str:
    return str(TARGETS.get(target, target))


@register.simple_tag
def clock_state(clock: Clock, now: datetime) -> SafeString:
    """A running clock by its deadline; a paused one says so, a stopped one says how it ended."""
    if clock.state == "running" and clock.due_at is not None:
        return format_html("{}, {}", due(clock.due_at, now, clock.breached_at is not None), when(clock.due_at, now))
    if clock.state == "paused":
        text = _("paused: it waits with the incident, %(used)s used") % {"used": span(clock.elapsed_s)}
        return format_html('<span class="soon">{}</span>', text)
    if clock.state == "met":
        return format_html(
            '<span class="met">✓ {}</span>', _("in time, after %(used)s") % {"used": span(clock.elapsed_s)}
        )
    if clock.breached_at is not None:
        return format_html('<span class="late">▲ {}</span>', _("missed"))
    return format_html('<span class="soft">{}</span>', clock.get_state_display())
