"""Ships two calendars and two policies, so that a fresh desk keeps its promise for every priority; edit them freely."""

from typing import Any

from django.apps.registry import Apps
from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from audit.actor import SYSTEM
from audit.context import acting, entry

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ALWAYS = {day: [["00:00", "24:00"]] for day in _DAYS}
_OFFICE = {day: [["09:00", "17:00"]] if day not in ("sat", "sun") else [] for day in _DAYS}
_TELL_OWNER: dict[str, Any] = {"do": "notify", "to": ["assignee"]}
_TELL_LEAD: dict[str, Any] = {"do": "notify", "to": ["assignee", "team_lead"]}
_MINUTE, _HOUR = 60, 3600

_POLICIES: list[dict[str, Any]] = [
    {
        "name": "Urgent (P1, P2), round the clock",
        "position": 10,
        "priorities": [1, 2],
        "calendar": "24x7",
        "targets": {
            "acknowledge": {"1": 15 * _MINUTE, "2": 30 * _MINUTE},
            "respond": {"1": 30 * _MINUTE, "2": _HOUR},
            "resolve": {"1": 4 * _HOUR, "2": 8 * _HOUR},
            "own": {"1": 15 * _MINUTE, "2": 30 * _MINUTE},
        },
    },
    {
        "name": "Standard (P3 to P5), in office hours",
        "position": 20,
        "priorities": [3, 4, 5],
        "calendar": "Office hours Mon-Fri 09-17 (UTC)",
        "targets": {
            "acknowledge": {"3": 2 * _HOUR, "4": 4 * _HOUR, "5": 8 * _HOUR},
            "respond": {"3": 4 * _HOUR, "4": 8 * _HOUR, "5": 16 * _HOUR},
            "resolve": {"3": {"days": 3}, "4": {"days": 5}, "5": {"days": 10}},
            "own": {"3": 2 * _HOUR, "4": 4 * _HOUR, "5": 8 * _HOUR},
        },
    },
]


def _common() -> dict[str, Any]:
    return {
        "pause_reasons": {"resolve": ["awaiting_requester"]},
        "resolve_stops_at": "resolved",
        "on_priority_change": "carry",
        "on_reopen": "resume",
        "thresholds": [
            {"percent": 50, "actions": []},
            {"percent": 75, "actions": [_TELL_OWNER]},
            {"percent": 90, "actions": [_TELL_LEAD]},
            {"percent": 100, "actions": []},
        ],
        "repeat_percent": None,
        "on_breach": [_TELL_LEAD],
        "auto_close_days": None,
    }


def ship(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    calendar, calendar_version = (apps.get_model("sla", name) for name in ("Calendar", "CalendarVersion"))
    policy, policy_version = (apps.get_model("sla", name) for name in ("SlaPolicy", "PolicyVersion"))
    if policy.objects.exists():
        return
    with transaction.atomic(), entry("migration"), acting(SYSTEM):
        calendars = {}
        for name, week in (("24x7", _ALWAYS), ("Office hours Mon-Fri 09-17 (UTC)", _OFFICE)):
            calendars[name] = calendar.objects.create(name=name, zone="UTC", week=week)
            definition = {"zone": "UTC", "week": week, "holidays": [], "special": {}, "names": {}}
            calendar_version.objects.create(calendar=calendars[name], number=1, definition=definition)
        for one in _POLICIES:
            row = policy.objects.create(**{**one, **_common(), "calendar": calendars[one["calendar"]]})
            conditions: dict[str, list[Any]] = {"priorities": one["priorities"]}
            conditions |= {name: [] for name in ("kinds", "categories", "services", "teams", "organisations")}
            shown = {name: one[name] for name in ("name", "position", "targets")}
            policy_version.objects.create(
                policy=row, number=1, definition={**shown, "conditions": conditions, **_common()}
            )


class Migration(migrations.Migration):
    dependencies = [("sla", "0002_history"), ("audit", "0002_guards")]

    # Versions are append-only, so the way back leaves the rows; the tables go with 0001.
    operations = [migrations.RunPython(ship, migrations.RunPython.noop)]
