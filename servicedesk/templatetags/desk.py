"""How the desk's pages say a deadline, a clock and an event in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit import subscriptions
from audit.models import Event
from sla.models import Clock

register = template.Library()

TARGETS = {
    "acknowledge": gettext_lazy("acknowledge"),
    "respond": gettext_lazy("respond"),
    "resolve": gettext_lazy("resolve"),
    "own": gettext_lazy("find an owner"),
}
#: Keys of an event's data that are words worth reading; ids and versions stay in the API.
_SAID = (
    "old",
    "new",
    "team",
    "assignee",
    "hold_reason",
    "until",
    "code",
    "reason",
    "priority",
    "percent",
    "target",
    "level",
    "cause",
)


def span(seconds: int) -> str:
    """`1 h 05 min`: two units, the smaller one padded."""
    minutes = max(0, seconds) // 60
    days, hours = divmod(minutes // 60, 24)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": minutes % 60}
    return _("%(minutes)d min") % {"minutes": minutes}


@register.simple_tag
def due(due_at: datetime | None, now: datetime, is_breached: bool = False) -> SafeString:
    """How long until a deadline, or how late; with the moment on hover."""
    if due_at is None:
        return format_html('<span class="soft">{}</span>', _("no deadline"))
    seconds = int((due_at - now).total_seconds())
    late = is_breached or seconds < 0
    words = (_("late %(span)s") if late else _("%(span)s left")) % {"span": span(abs(seconds))}
    css = "late" if late else "soon" if seconds < 3600 else ""
    local = timezone.localtime(due_at)
    return format_html(
        '<span class="{}" title="{}">{}{}</span>', css, f"{local:%a %Y-%m-%d %H:%M %Z}", "▲ " if late else "", words
    )


@register.simple_tag
def target_name(target: str) -> str:
    return str(TARGETS.get(target, target))


@register.simple_tag
def clock_state(clock: Clock, now: datetime) -> SafeString:
    """A running clock by its deadline; a paused one says so, a stopped one says how it ended."""
    if clock.state == "running" and clock.due_at is not None:
        return due(clock.due_at, now, clock.breached_at is not None)
    if clock.state == "paused":
        return format_html('<span class="soon">{}</span>', _("paused"))
    if clock.breached_at is not None:
        return format_html('<span class="late">{}</span>', _("breached"))
    return format_html(
        '<span class="{}">{}</span>', "met" if clock.state == "met" else "soft", clock.get_state_display()
    )


@register.simple_tag
def event_text(event: Event) -> SafeString:
    """An event as a line: what it means, and what it says."""
    declared = subscriptions.declared_kinds().get(event.kind)
    said: list[tuple[str, Any]] = [(key, event.data[key]) for key in _SAID if event.data.get(key) not in (None, "", [])]
    details = " · ".join(f"{key}: {value}" for key, value in said)
    reason = f" “{event.reason}”" if event.reason else ""
    return format_html(
        '<strong>{}</strong> <span class="soft" title="{}">{}{}</span>',
        event.kind.split(".", 1)[-1].replace("_", " "),
        declared.meaning if declared else "",
        details,
        reason,
    )
