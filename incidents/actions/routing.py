"""Finds the team of a new incident: as named, by a routing rule, by the service's owner, or for triage."""

from __future__ import annotations

import dataclasses
from typing import Any

from accounts.models import Team, User
from audit.queries import kept
from incidents import routing
from incidents.models import Category, Incident, RoutingRule


@dataclasses.dataclass(frozen=True, slots=True)
class Routed:
    """Where an incident goes and by what: named, rule, service, triage, or nothing that a team could be had from."""

    team_id: int | None
    by: str
    rule: routing.Rule | None = None

    def told(self) -> dict[str, Any]:
        """As the event keeps it, so that "why this team" can be answered when the rule is long changed."""
        if self.rule is None:
            return {"by": self.by}
        return {"by": self.by, "rule": self.rule.id, "name": self.rule.name, "version": self.rule.version}


def rules_in_force() -> tuple[routing.Rule, ...]:
    """The active rules of active teams, in their order."""
    return kept("incidents.routing", _load)


def _load() -> tuple[routing.Rule, ...]:
    found = RoutingRule.objects.filter(is_active=True, team__is_active=True).order_by("position")
    return tuple(one.rule() for one in found)


def path_of(category: Category | None) -> tuple[int, ...]:
    return () if category is None else tuple(one.pk for one in category.path())


def facts_of(incident: Incident, requester: User | None, rules: tuple[routing.Rule, ...]) -> routing.Facts:
    """What rules look at; the categories above are read only where a rule asks for categories."""
    asked = any(rule.categories for rule in rules)
    return routing.Facts(
        kind=str(incident.kind),
        channel=str(incident.channel),
        source=incident.source_label,
        categories=path_of(incident.category) if asked else (),
        service=incident.service_id,
        site=requester.site_id if requester is not None else None,
        organisation=incident.organisation_id,
    )


def route(incident: Incident, team: Team | None, assignee: User | None, requester: User | None) -> Routed:
    """The named team, else the first rule's, else that of the service's owner, else the triage team's.

    An import keeps what its log says; who is given to a person alone needs no triage.
    """
    if team is not None:
        return Routed(team.pk, "named")
    if incident.is_imported:
        return Routed(None, "nobody")
    rules = rules_in_force()
    if rules and (found := routing.first_match(rules, facts_of(incident, requester, rules)).rule) is not None:
        return Routed(found.team, "rule", found)
    if incident.service is not None and incident.service.owner_team_id is not None:
        return Routed(incident.service.owner_team_id, "service")
    if assignee is not None:
        return Routed(None, "nobody")
    return Routed(triage_team(), "triage")


def triage_team() -> int | None:
    return Team.objects.filter(is_triage=True, is_active=True).order_by("id").values_list("pk", flat=True).first()
