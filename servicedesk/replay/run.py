"""One incident of a log, row by row, through the actions; and the report of what agreed.

Each row says what the incident looks like after an update; the difference to what it is here decides the verbs. A row
without a difference is accepted and writes nothing. One commit per incident; an incident that is here already is
skipped, so an interrupted import goes on where it stopped.
"""

from __future__ import annotations

import collections
import dataclasses
from datetime import timedelta
from typing import Any

from django.db import transaction

import incidents.actions
import sla.actions
from audit.actions import ActionRefused
from audit.context import acting
from incidents.actions import Resolution
from incidents.models import Incident
from servicedesk.replay.log import BadRow, Row, parse
from servicedesk.replay.world import IMPORTER, MATRIX, UNKNOWN_CALLER, World
from sla.models import Clock

#: The log's words -> ours. A wake-up is made up, because the log has none.
HOLDS = {
    "awaiting user info": "awaiting_requester",
    "awaiting vendor": "awaiting_vendor",
    "awaiting problem": "awaiting_problem",
    "awaiting evidence": "awaiting_evidence",
    "awaiting change": "awaiting_change",
}
STATES = {
    "new": "new",
    "active": "in_progress",
    "in progress": "in_progress",
    "resolved": "resolved",
    "closed": "closed",
}
CHANNELS = {"phone": "phone", "email": "mail", "self service": "portal", "ivr": "phone", "direct opening": "walk_in"}
ASSUMED_HOLD = timedelta(days=30)
#: The states in which the log calls an incident new: nobody has begun.
_NOT_BEGUN = ("new", "assigned")
_OVER = ("resolved", "closed")


@dataclasses.dataclass(slots=True)
class Report:
    """What is counted; shards add up. `listed` holds the refused rows by incident, line and reason."""

    incidents: int = 0
    skipped: int = 0
    events: int = 0
    accepted: int = 0
    effective: int = 0
    history_rows: int = 0
    refused: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    listed: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    compared: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    agreed: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    def compare(self, what: str, ours: object, theirs: object) -> None:
        self.compared[what] += 1
        self.agreed[what] += ours == theirs

    def refuse(self, number: str, line: int, reason: str) -> None:
        self.refused[reason] += 1
        self.listed.append({"incident": number, "line": line, "reason": reason})

    def as_json(self) -> dict[str, Any]:
        """Plain values: what shards hand over and the command prints."""
        return {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def add(self, other: dict[str, Any]) -> None:
        for name, value in other.items():
            mine = getattr(self, name)
            if isinstance(mine, int):
                setattr(self, name, mine + value)
            elif isinstance(mine, list):
                mine.extend(value)
            else:
                mine.update(value)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, collections.Counter) else value


def known_numbers() -> set[str]:
    """The log's numbers that an earlier run brought in."""
    return set(
        Incident.objects.filter(is_imported=True).exclude(external_ref="").values_list("external_ref", flat=True)
    )


class Replay:
    """Carries one log into one world."""

    def __init__(self, world: World, report: Report) -> None:
        self.world = world
        self.report = report

    def incident(self, number: str, lines: list[tuple[int, dict[str, str]]]) -> None:
        """All rows of one incident in one commit; a refused row is counted and the next one goes on from there."""
        self.report.incidents += 1
        self.report.events += len(lines)
        rows: list[Row] = []
        for line, values in lines:
            try:
                rows.append(parse(line, values))
            except BadRow as error:
                self.report.refuse(number, line, str(error))
        clean = len(rows) == len(lines)
        with transaction.atomic(), acting(IMPORTER):
            incident: Incident | None = None
            for row in rows:
                try:
                    incident = self._row(incident, row)
                    self.report.accepted += 1
                except ActionRefused as refusal:
                    clean = False
                    self.report.refuse(number, row.line, f"{refusal.code}: {_reason(refusal)}")
                except BadRow as error:
                    clean = False
                    self.report.refuse(number, row.line, str(error))
            if incident is not None:
                self._judge(incident, rows, clean)

    def _row(self, incident: Incident | None, row: Row) -> Incident:
        state = self._state(row)
        if incident is None:
            incident = self._open(row, state)
        elif incident.state in _OVER and state not in (incident.state, "closed"):
            incident = self._did(incidents.actions.reopen(incident=incident, reason="import", by=IMPORTER, at=row.at))
        incident = self._inputs(incident, row)
        incident = self._owner(incident, row)
        return self._move(incident, row, state)

    def _did(self, incident: Incident) -> Incident:
        self.report.effective += 1
        return incident

    def _state(self, row: Row) -> str:
        word = row.state.lower()
        if word in HOLDS:
            return "on_hold"
        if word not in STATES:
            raise BadRow(f"unknown state {row.state[:40]!r}")
        return STATES[word]

    def _open(self, row: Row, state: str) -> Incident:
        resolution = None
        if state in ("resolved", "closed"):
            resolution = Resolution(code="other", notes=row.closing_code)
        return self._did(
            incidents.actions.open_incident(
                title=f"{row.number}: {row.category or 'unsorted'}",
                channel=CHANNELS.get(row.contact, "phone"),
                impact=row.impact or 3,
                urgency=row.urgency or 3,
                matrix=self.world.matrix,
                category=self._category(row),
                team=self.world.teams.get(row.team),
                assignee=self.world.people.get(row.assignee),
                requester=self.world.people.get(row.caller or UNKNOWN_CALLER),
                reported_at=min(row.opened_at, row.at),
                reported_at_reason="import",
                external_ref=row.number,
                resolved=resolution,
                imported=True,
                by=IMPORTER,
                at=row.at,
            )
        )

    def _category(self, row: Row) -> Any:
        known = self.world.categories
        return known.get((row.category, row.subcategory)) or known.get((row.category, ""))

    def _inputs(self, incident: Incident, row: Row) -> Incident:
        impact, urgency = row.impact or incident.impact, row.urgency or incident.urgency
        if (impact, urgency) != (incident.impact, incident.urgency):
            incident = self._did(
                incidents.actions.set_priority_inputs(
                    incident=incident, impact=impact, urgency=urgency, by=IMPORTER, at=row.at
                )
            )
        category = self._category(row)
        if category is not None and category.pk != incident.category_id:
            incident = self._did(
                incidents.actions.recategorise(incident=incident, category=category, by=IMPORTER, at=row.at)
            )
        return incident

    def _owner(self, incident: Incident, row: Row) -> Incident:
        team, assignee = self.world.teams.get(row.team), self.world.people.get(row.assignee)
        wanted = (team.pk if team else None, assignee.pk if assignee else None)
        if wanted == (incident.team_id, incident.assignee_id):
            return incident
        return self._did(
            incidents.actions.assign(incident=incident, team=team, assignee=assignee, by=IMPORTER, at=row.at)
        )

    def _move(self, incident: Incident, row: Row, state: str) -> Incident:
        act: dict[str, Any] = {"incident": incident, "by": IMPORTER, "at": row.at}
        verbs = incidents.actions
        if state == "on_hold":
            reason = HOLDS[row.state.lower()]
            if incident.state == "on_hold":
                if incident.hold_reason == reason:
                    return incident
                return self._did(
                    verbs.change_hold(hold_reason=reason, until=row.at + ASSUMED_HOLD, is_assumed=True, **act)
                )
            return self._did(verbs.put_on_hold(hold_reason=reason, until=row.at + ASSUMED_HOLD, is_assumed=True, **act))
        if state == incident.state or (state == "new" and incident.state in _NOT_BEGUN):
            return incident
        if state == "in_progress":
            verb = verbs.resume if incident.state == "on_hold" else verbs.start
            return self._did(verb(**act))
        if state == "new":
            raise BadRow(f"back from {incident.state} to new")
        if incident.state not in ("resolved", "closed"):
            act["incident"] = self._did(verbs.resolve(code="other", notes=row.closing_code, **act))
        if state == "closed" and act["incident"].state == "resolved":
            return self._did(verbs.close(confirmation="import", **act))
        return act["incident"]  # type: ignore[no-any-return]

    def _judge(self, incident: Incident, rows: list[Row], clean: bool) -> None:
        """The clocks once, then what agrees; incidents with a refused row are left out of the comparison."""
        last = rows[-1]
        sla.actions.judge_imported(incident=incident, by=IMPORTER, at=last.at)
        self.report.history_rows += incident.version
        if not clean:
            return
        report = self.report
        ours = "new" if incident.state in _NOT_BEGUN else incident.state
        report.compare("state", ours, self._state(last))
        report.compare("reopens", incident.reopen_count, last.reopens)
        report.compare(
            "reassignments", incident.reassignment_count, (last.reassignments or 0) - (rows[0].reassignments or 0)
        )
        if last.impact and last.urgency and last.priority:
            report.compare("priority", incident.priority, last.priority)
            report.compare("matrix", MATRIX[last.impact - 1][last.urgency - 1], last.priority)
        clock = Clock.objects.filter(incident=incident, target="resolve").order_by("-cycle").first()
        if clock is not None and last.made_sla is not None:
            report.compare(f"sla_p{incident.priority}", clock.breached_at is None, last.made_sla)


def _reason(refusal: ActionRefused) -> str:
    """The reason without the incident's own number, so that equal refusals are counted together."""
    words = [word for word in refusal.detail.split() if not word.startswith("INC-")]
    return " ".join(words)[:120]
