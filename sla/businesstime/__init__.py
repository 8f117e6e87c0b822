"""Business time: how many working seconds lie between two instants, and at which instant a budget of them ends.

Unit: whole seconds. Microseconds are cut off every instant that comes in, so that a result never depends on them.
Spans are half-open. One rule decides everything: an instant counts if the calendar's wall clock, read at that
instant, stands in a window of the date that it shows. Hence a 25-hour day counts 25 hours, a local time that comes
twice counts twice, and a skipped one never: no second is lost or counted double, forwards or backwards. (Windows
turned into instants would have to choose an occurrence, and could then overlap the next day.)
A budget is used up at the first instant that suffices: one that ends at closing time is due at closing time.
"""

from sla.businesstime.arithmetic import (
    Pauses,
    Reason,
    Span,
    add,
    add_days,
    add_days_end_of_day,
    between,
    is_open,
    next_open,
    previous_close,
    spans,
)
from sla.businesstime.wallclock import OutOfRange, UnknownZone, first_instant, last_instant
from sla.businesstime.workcalendar import WALL_CLOCK, WEEKDAYS, InvalidCalendar, Windows, WorkCalendar

__all__ = [
    "WALL_CLOCK",
    "WEEKDAYS",
    "InvalidCalendar",
    "OutOfRange",
    "Pauses",
    "Reason",
    "Span",
    "UnknownZone",
    "Windows",
    "WorkCalendar",
    "add",
    "add_days",
    "add_days_end_of_day",
    "between",
    "first_instant",
    "is_open",
    "last_instant",
    "next_open",
    "previous_close",
    "spans",
]
