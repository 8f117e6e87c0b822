"""Which teams' numbers an actor sees: everything, or the tree that they lead; and the rows behind them."""

from __future__ import annotations

from accounts.models import Team
from audit.actor import Actor
from metrics.permissions import sees_all_numbers


def teams_of(actor: Actor) -> frozenset[int] | None:
    """None: all teams, and what no team has."""
    return None if sees_all_numbers(actor) else actor.led_team_ids


def with_those_below(team: Team) -> set[int]:
    """A team and everything below it."""
    parents = dict(Team.objects.values_list("pk", "parent_id"))
    found, grows = {team.pk}, True
    while grows:
        more = {pk for pk, parent in parents.items() if parent in found and pk not in found}
        found, grows = found | more, bool(more)
    return found
