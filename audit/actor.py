"""Who acts: a frozen value that permission predicates read without a query."""

from __future__ import annotations

import dataclasses
from enum import StrEnum


class ActorKind(StrEnum):
    PERSON = "person"
    KEY = "key"
    JOB = "job"
    MAIL = "mail"
    SYSTEM = "system"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One acting party, complete enough to decide on permissions and to stand in the trail.

    `id` is the stable identity within `kind` (a user's id, an API key's prefix, a job's name).
    `user_id` is set only when a human being stands behind the act; "a named person" means that it is set.
    `led_team_ids` and `team_ids` already contain the teams below, so predicates need no tree walk.
    """

    kind: ActorKind
    id: str
    label: str
    user_id: int | None = None
    on_behalf_of: str = ""
    roles: frozenset[str] = frozenset()
    team_ids: frozenset[int] = frozenset()
    led_team_ids: frozenset[int] = frozenset()
    scopes: frozenset[str] = frozenset()

    @property
    def is_person(self) -> bool:
        """Whether a named human acts: API keys without a person, jobs and mail robots are none."""
        return self.user_id is not None

    def has_role(self, *roles: str) -> bool:
        return not self.roles.isdisjoint(roles)

    def has_scope(self, scope: str) -> bool:
        """Whether an API key may do this; persons are not limited by scopes. Write implies read."""
        if self.kind is not ActorKind.KEY:
            return True
        resource, _, verb = scope.partition(":")
        wanted = {scope, f"{resource}:write", "*:write"} | ({"*:read"} if verb == "read" else set())
        return not self.scopes.isdisjoint(wanted)


SYSTEM = Actor(kind=ActorKind.SYSTEM, id="system", label="system")


def job(name: str) -> Actor:
    """The actor of a scheduled job or command, e.g. `job("sla.sweep")`."""
    return Actor(kind=ActorKind.JOB, id=name, label=name)
