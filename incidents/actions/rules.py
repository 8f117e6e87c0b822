"""Who sets the routing rules: an admin all of them, a lead those that bring work to a team that they lead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.models import Team
from audit.actions import Forbidden, action, change_config, create_config, remove_config
from audit.actor import Actor
from incidents import permissions
from incidents.models import RoutingRule


def _may_route(by: Actor, *teams: Team) -> None:
    for team in teams:
        if not permissions.can_route_to(by, team.pk):
            raise Forbidden(
                f"{by.label} may not route to {team}", field="team", remedy="ask an admin, or the lead of that team"
            )


@action
def create_routing_rule(*, values: Mapping[str, Any], by: Actor, at: datetime, reason: str = "") -> RoutingRule:
    """Adds a line to the list. Refused: who may not route to the team, a bad condition. Records `config.created`."""
    _may_route(by, values["team"])
    return create_config(model=RoutingRule, values=values, by=by, at=at, reason=reason)  # type: ignore[no-any-return]


@action
def change_routing_rule(
    *,
    rule: RoutingRule,
    values: Mapping[str, Any],
    by: Actor,
    at: datetime,
    expected_version: int | None = None,
    reason: str = "",
) -> RoutingRule:
    """Changes a line; who changes it may route to the team before and after. Records `config.changed`."""
    _may_route(by, rule.team, values.get("team", rule.team))
    return change_config(  # type: ignore[no-any-return]
        row=rule, values=values, by=by, at=at, expected_version=expected_version, reason=reason
    )


@action
def remove_routing_rule(
    *, rule: RoutingRule, by: Actor, at: datetime, expected_version: int | None = None, reason: str = ""
) -> None:
    """Takes a line out of the list; its history stays. Records `config.removed`."""
    _may_route(by, rule.team)
    remove_config(row=rule, by=by, at=at, expected_version=expected_version, reason=reason)
