"""The frozen form of a calendar: what a person wrote, checked, with the public holidays written out as dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import holidays

from audit.zones import is_zone
from sla.businesstime import WALL_CLOCK, InvalidCalendar, WorkCalendar

#: Public holidays are written out for these years; a calendar older or younger than them is saved again.
YEARS = range(2010, 2051)
MOST_DATES = 5000


class InvalidDefinition(ValueError):
    """The calendar can't be used; `field` names what to change."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


def public_holidays(country: str, region: str) -> dict[str, str]:
    """Date -> name of the public holidays of a country or its region; refuses what the `holidays` package lacks."""
    if region and not country:
        raise InvalidDefinition("region", "A region needs its country; fill in the country too.")
    if not country:
        return {}
    known = holidays.list_supported_countries()
    if country not in known:
        raise InvalidDefinition("country", f"No public holidays are known for {country!r}; use a code like ES or US.")
    if region and region not in known[country]:
        raise InvalidDefinition(
            "region", f"{country} has no region {region!r}; use one of {', '.join(known[country]) or '(none)'}."
        )
    days = holidays.country_holidays(country, subdiv=region or None, years=YEARS, language="en_US")
    return {day.isoformat(): name for day, name in sorted(days.items())}


def calendar(
    *,
    zone: str,
    week: Mapping[str, Any],
    holidays: Sequence[str],
    special: Mapping[str, Any],
    country: str = "",
    region: str = "",
) -> dict[str, Any]:
    """The definition that a version keeps, in the normal form of `WorkCalendar.to_json` plus the holidays' names."""
    if not is_zone(zone):
        raise InvalidDefinition("zone", f"Unknown time zone {zone!r}; use an IANA name such as Europe/Berlin.")
    try:
        WorkCalendar(zone, WALL_CLOCK.week)
    except InvalidCalendar as error:
        raise InvalidDefinition("zone", str(error)) from error
    for field, value, kind in (("week", week, Mapping), ("special", special, Mapping), ("holidays", holidays, list)):
        if not isinstance(value, kind):
            raise InvalidDefinition(field, f"{field} is a JSON {'list' if kind is list else 'object'}.")
        if len(value) > MOST_DATES:
            raise InvalidDefinition(field, f"{field} has {len(value)} entries; at most {MOST_DATES} fit.")
    names = public_holidays(country, region)
    _try("week", {"zone": zone, "week": week})
    _try("special", {"zone": zone, "week": week, "special": special})
    _try("holidays", {"zone": zone, "week": week, "special": special, "holidays": holidays})
    whole = {"zone": zone, "week": week, "special": special, "holidays": [*holidays, *names]}
    return {**_try("holidays", whole).to_json(), "names": names}


def _try(field: str, parts: dict[str, Any]) -> WorkCalendar:
    try:
        return WorkCalendar.from_json(parts)
    except (InvalidCalendar, ValueError) as error:
        raise InvalidDefinition(field, str(error)) from error
