"""Which team an incident goes to: ordered rules over what is known when it is logged, and why one did not match."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from fnmatch import fnmatchcase

#: The conditions of a rule, in the order in which a mismatch is named.
CONDITIONS = ("kinds", "channels", "sources", "categories", "services", "sites", "organisations")


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What rules look at; `categories` is the incident's category and those above it."""

    kind: str
    channel: str
    source: str = ""
    categories: tuple[int, ...] = ()
    service: int | None = None
    site: int | None = None
    organisation: int | None = None

    def values(self, condition: str) -> frozenset[str | int]:
        """What the incident has of a condition; nothing is an empty set, which no rule that asks for it takes."""
        if condition == "categories":
            return frozenset(self.categories)
        value = getattr(self, condition[:-1])
        return frozenset() if value is None else frozenset((value,))


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One line of the list; an empty condition holds for every incident. Sources are patterns: `*` stands for any."""

    name: str
    team: int
    id: int = 0
    version: int = 0
    kinds: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    categories: tuple[int, ...] = ()
    services: tuple[int, ...] = ()
    sites: tuple[int, ...] = ()
    organisations: tuple[int, ...] = ()

    def mismatch(self, facts: Facts) -> str:
        """The first condition that does not hold; empty when all do."""
        for condition in CONDITIONS:
            wanted = getattr(self, condition)
            if not wanted:
                continue
            if condition == "sources":
                holds = any(fnmatchcase(facts.source.casefold(), one.casefold()) for one in wanted)
            else:
                holds = not facts.values(condition).isdisjoint(wanted)
            if not holds:
                return condition
        return ""


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """The rule that takes an incident, if one does, and for each before it the condition that did not hold."""

    rule: Rule | None
    passed_over: tuple[tuple[Rule, str], ...]


def first_match(rules: Iterable[Rule], facts: Facts) -> Route:
    """The first rule in the given order whose conditions all hold."""
    passed_over: list[tuple[Rule, str]] = []
    for rule in rules:
        why = rule.mismatch(facts)
        if not why:
            return Route(rule, tuple(passed_over))
        passed_over.append((rule, why))
    return Route(None, tuple(passed_over))
