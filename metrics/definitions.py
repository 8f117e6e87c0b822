"""What each number means, in words that are printed beside it, and where its values lie."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _

from metrics.fold import Why


class Shape(StrEnum):
    """How the values of a metric are summed up."""

    DURATION = "duration"  # seconds: median, 90th percentile, mean
    COUNT = "count"  # whole numbers: the same
    SHARE = "share"  # yes or no: percent
    SCORE = "score"  # 1 to 5: mean and median
    VOLUME = "volume"  # how many


class Day(StrEnum):
    """The day that decides in which range a row stands."""

    REPORTED = "reported_on"
    RESOLVED = "resolved_on"


class Source(StrEnum):
    """What a row of the metric is."""

    INCIDENT = "incident"
    CLOCK = "clock"
    RATING = "rating"
    ANSWER = "answer"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number: `column` names the facts' columns, `target` the clocks that are judged."""

    slug: str
    label: Any
    definition: Any
    shape: Shape
    day: Day
    source: Source = Source.INCIDENT
    target: str = ""
    group: str = "more"

    @property
    def is_timed(self) -> bool:
        return self.shape is Shape.DURATION


_REPORTED = _("Counted on the day of the report.")
_RESOLVED = _("Counted on the day of the last resolution.")

_ALL = (
    Metric(
        slug="volume", label=_("Reported incidents"), shape=Shape.VOLUME, day=Day.REPORTED, group="start",
        definition=_(
            "Incidents by the day of their report, whatever became of them. Drills, children and duplicates are not "
            "counted: each matter counts once."
        ),
    ),
    Metric(
        slug="mttd", label=_("Time to detect (MTTD)"), shape=Shape.DURATION, day=Day.REPORTED, group="start",
        definition=_(
            "From the moment it began (occurred) to the moment somebody or something noticed it (detected). Where one "
            "of the two is unknown, it stays unknown."
        ),
    ),
    Metric(
        slug="customer_first", label=_("Noticed by a user first"), shape=Shape.SHARE, day=Day.REPORTED, group="start",
        definition=_("The share that a user noticed before monitoring or an agent did, of those where it is known."),
    ),
    Metric(
        slug="mtta", label=_("Time to acknowledge (MTTA)"), shape=Shape.DURATION, day=Day.REPORTED, group="start",
        definition=_(
            "From the first notification of a page to the acknowledgement by a person. Claimed before anybody was "
            "notified counts as 0 and is flagged. Never acknowledged and healed by itself are counted apart."
        ),
    ),
    Metric(
        slug="claimed_first", label=_("Claimed before notified"), shape=Shape.SHARE, day=Day.REPORTED, group="start",
        definition=_("The share of the acknowledged that a person took before the page had notified anybody."),
    ),
    Metric(
        slug="mttr", label=_("Time to resolve (MTTR)"), shape=Shape.DURATION, day=Day.RESOLVED, group="resolve",
        definition=_(
            "From detection to the last resolution, by the wall clock, without the intervals in which it was resolved "
            "and not yet reopened."
        ),
    ),
    Metric(
        slug="first_resolution", label=_("Time to first resolution"), shape=Shape.DURATION, day=Day.RESOLVED,
        group="resolve", definition=_("From detection to the first resolution, by the wall clock."),
    ),
    Metric(
        slug="resolution", label=_("Report to resolution"), shape=Shape.DURATION, day=Day.RESOLVED, group="resolve",
        definition=_(
            "As the time to resolve, but from the report: it is known for every incident, also where nobody said when "
            "it was detected."
        ),
    ),
    Metric(
        slug="effort", label=_("Business time to resolve"), shape=Shape.DURATION, day=Day.RESOLVED, group="resolve",
        definition=_(
            "What the resolve clock of the SLA counted: business time of its calendar, without its pauses, over all "
            "cycles."
        ),
    ),
    Metric(
        slug="fcr", label=_("Solved at first contact (FCR)"), shape=Shape.SHARE, day=Day.RESOLVED, group="quality",
        definition=_(
            "The share that was solved before the first contact ended, warm transfer included, and was not reopened. "
            "Born from alerts, children, duplicates, cancelled, drills and “no answer” are left out."
        ),
    ),
    Metric(
        slug="flr", label=_("Solved by the first line (FLR)"), shape=Shape.SHARE, day=Day.RESOLVED, group="quality",
        definition=_(
            "The share that a team of tier 1 had when it was resolved last. The same are left out as for FCR."
        ),
    ),
    Metric(
        slug="recurrence", label=_("Recurrence"), shape=Shape.SHARE, day=Day.REPORTED, group="quality",
        definition=_(
            "The share that follows another incident of the same service and category within 30 days of its report, or "
            "that was opened as the return of a closed one."
        ),
    ),
    Metric(
        slug="reopened", label=_("Reopened"), shape=Shape.SHARE, day=Day.RESOLVED, group="quality",
        definition=_("The share of the resolved that had been reopened at least once."),
    ),
    Metric(
        slug="reassignments", label=_("Changes of team"), shape=Shape.COUNT, day=Day.RESOLVED, group="quality",
        definition=_("How often the resolved ones went from one team to another."),
    ),
)  # fmt: skip

_SATISFACTION = (
    Metric(
        slug="csat", label=_("Satisfaction (CSAT)"), shape=Shape.SCORE, day=Day.RESOLVED, source=Source.RATING,
        group="quality",
        definition=_(
            "What requesters said of a resolution, 1 to 5: one answer for each resolution and respondent, on the day "
            "of the last resolution."
        ),
    ),
    Metric(
        slug="response", label=_("Answers to the survey"), shape=Shape.SHARE, day=Day.RESOLVED, source=Source.ANSWER,
        group="quality",
        definition=_("The share of resolved incidents whose requester was asked and answered."),
    ),
)  # fmt: skip

_COMPLIANCE = _(
    "The share of clocks that were stopped at or before their deadline, of those with a verdict. Exempted breaches "
    "leave both sides; running ones, ended ones and incidents without this promise are shown apart."
)


def _compliance(target: str, label: Any) -> Metric:
    return Metric(
        slug=f"sla_{target}", label=label, definition=_COMPLIANCE, shape=Shape.SHARE, day=Day.REPORTED,
        source=Source.CLOCK, target=target, group="sla",
    )  # fmt: skip


CLOCKS = (
    _compliance("acknowledge", _("SLA kept: acknowledge")),
    _compliance("respond", _("SLA kept: respond")),
    _compliance("resolve", _("SLA kept: resolve")),
    _compliance("own", _("SLA kept: find an owner")),
)
METRICS: dict[str, Metric] = {one.slug: one for one in (*_ALL, *_SATISFACTION, *CLOCKS)}
#: The metrics whose values the fold gives, and with them the facts' columns.
FOLDED = (
    "mttd", "customer_first", "mtta", "claimed_first", "mttr", "first_resolution", "resolution", "fcr", "flr",
    "reopened", "reassignments",
)  # fmt: skip
#: All columns of a value with the reason beside it.
COLUMNS = (*FOLDED, "effort", "recurrence")

BACKLOG = _(
    "Reported and at the end of the range neither resolved for good nor cancelled; its age is the time since the "
    "report. Beside it what came in and what was resolved in the range."
)
DAYS = {Day.REPORTED: _REPORTED, Day.RESOLVED: _RESOLVED}

#: The groups of a report, in their order.
GROUPS = (
    ("start", _("Noticed and answered")),
    ("resolve", _("Resolved")),
    ("quality", _("Quality")),
    ("sla", _("Promises kept")),
)

WHY: dict[Why, Any] = {
    Why.DRILL: _("drill"),
    Why.CHILD: _("child of another incident"),
    Why.DUPLICATE: _("duplicate"),
    Why.CANCELLED: _("cancelled"),
    Why.UNKNOWN: _("a time or fact is unknown"),
    Why.NOT_NOTIFIED: _("nobody was notified"),
    Why.WAITING: _("not yet acknowledged"),
    Why.NEVER: _("never acknowledged"),
    Why.SELF_HEALED: _("healed by itself before anybody acknowledged"),
    Why.ALERT: _("born from an alert"),
    Why.NO_ANSWER: _("ended with “no answer”"),
    Why.NO_TEAM: _("no team had it"),
    Why.NO_SLA: _("no SLA"),
    Why.RUNNING: _("still running"),
    Why.EXEMPTED: _("breach exempted"),
    Why.UNSORTED: _("no service or no category"),
    Why.UNASKED: _("the requester was not asked"),
    Why.ENDED: _("ended without a verdict"),
    Why.UNRATED: _("the requester did not answer"),
}
