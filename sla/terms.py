"""What a policy promises, as a value: the frozen definition checked and read, and which incidents it is for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from sla.businesstime import WALL_CLOCK, WorkCalendar
from sla.fold import Budget, Terms

TARGETS = ("acknowledge", "respond", "next_reply", "resolve", "own", "update")
CONDITIONS = ("priorities", "kinds", "categories", "services", "teams", "organisations")
#: As incidents.models.HoldReason has them; a rule imports no models, so a test holds the two together.
HOLD_REASONS = (
    "awaiting_requester", "awaiting_vendor", "awaiting_evidence", "awaiting_change", "awaiting_problem",
    "awaiting_parent", "scheduled",
)  # fmt: skip
RECIPIENTS = ("assignee", "team", "team_lead")
#: A hundred years; a promise past it is a mistake.
LONGEST_S = 100 * 366 * 86400

TARGETS_HELP = (
    'Per target and priority, in seconds of the calendar: {"resolve": {"1": 14400, "3": {"days": 3}}}. '
    'Also {"seconds": 900, "wall": true} and {"days": 2, "end_of_day": true}.'
)
THRESHOLDS_HELP = (
    'Ascending: [{"percent": 75, "actions": [{"do": "notify", "to": ["assignee", "team_lead"]}]}]; '
    'actions: notify, raise_priority {"to": 1}, reassign {"team": 5}, '
    'escalate {"how": "functional", "team": 5} or {"how": "hierarchical"}; "targets" limits a threshold to some.'
)


class InvalidPolicy(ValueError):
    """The policy can't be kept; `field` names what to change."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


def default_pause_reasons() -> dict[str, list[str]]:
    return {"resolve": ["awaiting_requester"]}


def default_thresholds() -> list[dict[str, Any]]:
    return [
        {"percent": 50, "actions": []},
        {"percent": 75, "actions": [{"do": "notify", "to": ["assignee"]}]},
        {"percent": 90, "actions": [{"do": "notify", "to": ["assignee", "team_lead"]}]},
        {"percent": 100, "actions": []},
    ]


def default_on_breach() -> list[dict[str, Any]]:
    return [{"do": "notify", "to": ["assignee", "team_lead"]}]


@dataclasses.dataclass(frozen=True, slots=True)
class Inputs:
    """What a choice of policy depends on; `categories` is the incident's category and those above it."""

    priority: int
    kind: str
    categories: tuple[int, ...] = ()
    service: int | None = None
    team: int | None = None
    organisation: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "categories": list(self.categories)}


@dataclasses.dataclass(frozen=True)
class Policy:
    """A policy version's definition, read."""

    definition: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    def mismatch(self, inputs: Inputs) -> str:
        """Why the policy is not for this incident; empty when it is."""
        wanted = self.definition["conditions"]
        single = (
            ("priorities", "priority", inputs.priority),
            ("kinds", "kind", inputs.kind),
            ("services", "service", inputs.service),
            ("teams", "team", inputs.team),
            ("organisations", "organisation", inputs.organisation),
        )
        for field, label, value in single:
            if wanted.get(field) and value not in wanted[field]:
                return f"{label} is {'none' if value is None else value}, not one of {_list(wanted[field])}"
        if wanted.get("categories") and not set(wanted["categories"]) & set(inputs.categories):
            return f"category is not below one of {_list(wanted['categories'])}"
        return ""

    @cached_property
    def percents(self) -> dict[str, tuple[int, ...]]:
        return {
            target: tuple(
                one["percent"] for one in self.definition["thresholds"] if target in one.get("targets", TARGETS)
            )
            for target in TARGETS
        }

    def actions_at(self, target: str, percent: int) -> list[dict[str, Any]]:
        """What to do at a threshold; a repeat past the breach does what 100 % does."""
        listed = [one for one in self.definition["thresholds"] if target in one.get("targets", TARGETS)]
        exact = [one for one in listed if one["percent"] == percent]
        if not exact and percent > 100:
            exact = [one for one in listed if one["percent"] == 100]
        return [act for one in exact for act in one["actions"]]

    @property
    def on_breach(self) -> list[dict[str, Any]]:
        return list(self.definition["on_breach"])

    def terms(self, target: str, priority: int, calendar: WorkCalendar) -> Terms:
        """What this policy promises for one target at a priority."""
        entry = self.definition["targets"].get(target, {}).get(str(priority))
        if entry is None and target == "next_reply":
            # Who promises a first answer in a time owes the next one in as much, unless it says other.
            entry = self.definition["targets"].get("respond", {}).get(str(priority))
        budget, wall = read_budget(entry) if entry is not None else (None, False)
        return Terms(
            calendar=WALL_CLOCK if wall else calendar,
            budget=budget,
            pauses=frozenset(self.definition["pause_reasons"].get(target, ())),
            percents=self.percents[target],
            # Nobody may stay without an owner or without news unnoticed: those clocks are due again and again.
            repeat=self.definition["repeat_percent"] or (100 if target in ("own", "update") else None),
            stops_at_close=target == "resolve" and self.definition["resolve_stops_at"] == "closed",
            on_reopen=self.definition["on_reopen"],
        )


def default_own(seconds: int) -> Terms:
    """The clock of an unowned incident where no policy sets one: wall-clock, and due again each time it runs out."""
    return Terms(calendar=WALL_CLOCK, budget=Budget(seconds=seconds), percents=(100,), repeat=100)


def default_reply(seconds: int) -> Terms:
    """The clock of a requester's message where no policy promises an answer."""
    return Terms(calendar=WALL_CLOCK, budget=Budget(seconds=seconds), percents=(100,))


def read_budget(entry: int | Mapping[str, Any]) -> tuple[Budget, bool]:
    """A target's entry -> (budget, whether by the wall clock)."""
    if isinstance(entry, int):
        return Budget(seconds=entry), False
    if "days" in entry:
        return Budget(days=entry["days"], end_of_day=bool(entry.get("end_of_day"))), bool(entry.get("wall"))
    return Budget(seconds=entry["seconds"]), bool(entry.get("wall"))


def check(definition: Mapping[str, Any]) -> None:
    """Refuses a definition that could never be kept or would never fire, naming the field and the way out."""
    _check_conditions(definition["conditions"])
    _check_targets(definition["targets"])
    _check_pauses(definition["pause_reasons"])
    _check_thresholds(definition["thresholds"])
    _check_actions("on_breach", definition["on_breach"])
    repeat = definition["repeat_percent"]
    if repeat is not None and not (_is_number(repeat) and 1 <= repeat <= 1000):
        raise InvalidPolicy("repeat_percent", "Repeat every 1 to 1000 percent, or leave it empty.")


def _check_conditions(conditions: Mapping[str, Sequence[Any]]) -> None:
    for priority in conditions.get("priorities", ()):
        if not 1 <= priority <= 5:
            raise InvalidPolicy("priorities", f"{priority} is no priority; use 1 to 5.")
    for kind in conditions.get("kinds", ()):
        if kind not in ("incident", "request", "question"):
            raise InvalidPolicy("kinds", f"{kind!r} is no kind; use incident, request or question.")


def _check_targets(targets: Any) -> None:
    if not isinstance(targets, dict) or not any(targets.values()):
        raise InvalidPolicy("targets", f"Promise at least one target. {TARGETS_HELP}")
    for target, entries in targets.items():
        if target not in TARGETS:
            raise InvalidPolicy("targets", f"{target!r} is no target; use {_list(TARGETS)}.")
        if not isinstance(entries, dict):
            raise InvalidPolicy("targets", f"{target}: give seconds per priority. {TARGETS_HELP}")
        for priority, entry in entries.items():
            if priority not in ("1", "2", "3", "4", "5"):
                raise InvalidPolicy("targets", f'{target}: {priority!r} is no priority; use "1" to "5".')
            _check_entry(f"{target} of P{priority}", entry)


def _check_entry(where: str, entry: Any) -> None:
    if isinstance(entry, dict):
        unknown = sorted(set(entry) - {"seconds", "days", "wall", "end_of_day"})
        if unknown:
            raise InvalidPolicy("targets", f"{where}: unknown key {unknown[0]!r}. {TARGETS_HELP}")
        if ("seconds" in entry) == ("days" in entry):
            raise InvalidPolicy("targets", f"{where}: give either seconds or days.")
        if not all(isinstance(entry.get(name, False), bool) for name in ("wall", "end_of_day")):
            raise InvalidPolicy("targets", f"{where}: wall and end_of_day are true or false.")
        if entry.get("end_of_day") and "days" not in entry:
            raise InvalidPolicy("targets", f"{where}: only a promise in days can end with the day.")
        unit = "days" if "days" in entry else "seconds"
        amount = entry[unit]
    else:
        unit, amount = "seconds", entry
    longest = LONGEST_S if unit == "seconds" else LONGEST_S // 86400
    if not _is_number(amount) or not 1 <= amount <= longest:
        raise InvalidPolicy(
            "targets",
            f"{where}: {amount!r} can't be kept; use a whole number of {unit} from 1 to {longest} (a century).",
        )


def _check_pauses(pauses: Any) -> None:
    if not isinstance(pauses, dict):
        raise InvalidPolicy("pause_reasons", 'Give hold reasons per target: {"resolve": ["awaiting_requester"]}.')
    for target, reasons in pauses.items():
        if target not in TARGETS:
            raise InvalidPolicy("pause_reasons", f"{target!r} is no target; use {_list(TARGETS)}.")
        if unknown := _strangers(reasons, HOLD_REASONS):
            raise InvalidPolicy("pause_reasons", f"{unknown[0]!r} is no hold reason; use {_list(HOLD_REASONS)}.")


def _check_thresholds(thresholds: Any) -> None:
    if not isinstance(thresholds, list):
        raise InvalidPolicy("thresholds", THRESHOLDS_HELP)
    passed = 0
    for one in thresholds:
        if not isinstance(one, dict) or set(one) - {"percent", "actions", "targets"} or "percent" not in one:
            raise InvalidPolicy("thresholds", THRESHOLDS_HELP)
        percent = one["percent"]
        if not _is_number(percent) or not 1 <= percent <= 1000:
            raise InvalidPolicy("thresholds", f"{percent!r} is no share; use a whole number from 1 to 1000.")
        if percent <= passed:
            raise InvalidPolicy("thresholds", f"{percent} comes after {passed}; list each percentage once, ascending.")
        passed = percent
        if unknown := _strangers(one.get("targets", []), TARGETS):
            raise InvalidPolicy("thresholds", f"{unknown[0]!r} is no target; use {_list(TARGETS)}.")
        _check_actions("thresholds", one.setdefault("actions", []))


def _check_actions(field: str, actions: Any) -> None:
    if not isinstance(actions, list) or not all(isinstance(one, dict) for one in actions):
        raise InvalidPolicy(field, f"Actions are a list of objects. {THRESHOLDS_HELP}")
    for one in actions:
        _check_action(field, one)


def _check_action(field: str, act: Mapping[str, Any]) -> None:
    match act.get("do"):
        case "notify":
            if set(act) != {"do", "to"} or not act["to"] or _strangers(act["to"], RECIPIENTS):
                raise InvalidPolicy(field, f'notify names its recipients: {{"to": [...]}} of {_list(RECIPIENTS)}.')
        case "raise_priority":
            if set(act) - {"do", "to"} or act.get("to", 1) not in (1, 2, 3, 4, 5):
                raise InvalidPolicy(field, 'raise_priority takes {"to": 1..5}, or nothing for one step.')
        case "reassign":
            if set(act) != {"do", "team"} or not _is_number(act["team"]):
                raise InvalidPolicy(field, 'reassign takes {"team": <id>}.')
        case "escalate":
            how, team = act.get("how"), act.get("team")
            fits = how == "hierarchical" and set(act) == {"do", "how"}
            fits = fits or (
                how == "functional" and set(act) <= {"do", "how", "team"} and (not team or _is_number(team))
            )
            if not fits:
                raise InvalidPolicy(field, 'escalate takes {"how": "functional", "team": <id>} or "hierarchical".')
        case other:
            raise InvalidPolicy(field, f"{other!r} is no action; use notify, raise_priority, reassign or escalate.")


def _strangers(given: Any, known: Sequence[str]) -> list[str]:
    """What does not belong into a list of names, whatever JSON it is."""
    if not isinstance(given, list):
        return [str(given)[:80]]
    return [str(one)[:80] for one in given if one not in known]


def reassignment_teams(definition: Mapping[str, Any]) -> set[int]:
    """The teams that actions name."""
    lists = [definition["on_breach"], *(one["actions"] for one in definition["thresholds"])]
    named = ("reassign", "escalate")
    return {act["team"] for acts in lists for act in acts if act["do"] in named and act.get("team")}


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _list(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))
