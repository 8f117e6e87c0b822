"""Says the values of metrics in words: spans, percents, scores."""

from __future__ import annotations

from django.utils import formats
from django.utils.translation import gettext as _

from metrics.definitions import Metric, Shape
from metrics.queries.numbers import Numbers

NOTHING = "–"


def span(seconds: float | None) -> str:
    """Two units: `3 d 4 h`, `1 h 05 min`; seconds below a minute."""
    if seconds is None:
        return NOTHING
    whole = int(seconds)
    if whole < 60:
        return _("%(seconds)d s") % {"seconds": whole}
    minutes = whole // 60
    days, hours = divmod(minutes // 60, 24)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": minutes % 60}
    return _("%(minutes)d min") % {"minutes": minutes}


def number(value: float | None, digits: int = 0) -> str:
    return NOTHING if value is None else formats.number_format(round(value, digits), digits, force_grouping=True)


def percent(share: float | None) -> str:
    return NOTHING if share is None else f"{formats.number_format(round(share, 1), 1)} %"


def value(metric: Metric, given: float | None) -> str:
    """One value of a metric."""
    if given is None:
        return NOTHING
    if metric.shape is Shape.DURATION:
        return span(given)
    if metric.shape is Shape.SHARE:
        return _("yes") if given else _("no")
    return number(given)


def headline(found: Numbers) -> str:
    """The one value that stands for a metric: median, share, mean or how many."""
    shape = found.metric.shape
    if shape is Shape.DURATION:
        return span(found.median)
    if shape is Shape.SHARE:
        return percent(found.share)
    if shape is Shape.VOLUME:
        return number(found.n)
    return number(found.mean, 2)


def kind_of_headline(metric: Metric) -> str:
    return {
        Shape.DURATION: _("median"), Shape.SHARE: _("share"), Shape.VOLUME: _("reported"), Shape.COUNT: _("mean"),
        Shape.SCORE: _("mean"),
    }[metric.shape]  # fmt: skip
