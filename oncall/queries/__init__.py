"""Reads over rotas, policies and pages."""

from oncall.queries.pages import (
    admins,
    deciders,
    link_of,
    major_policy,
    next_people,
    open_pages,
    pages_of,
    people_of_targets,
    policy_of,
    responders_among,
    shares_that_page,
    snapshot_of,
    unreached_levels,
    unreached_of,
)
from oncall.queries.rotas import final_row, gaps_of, layer_of, who_is_on_call

__all__ = [
    "admins",
    "deciders",
    "final_row",
    "gaps_of",
    "layer_of",
    "link_of",
    "major_policy",
    "next_people",
    "open_pages",
    "pages_of",
    "people_of_targets",
    "policy_of",
    "responders_among",
    "shares_that_page",
    "snapshot_of",
    "unreached_levels",
    "unreached_of",
    "who_is_on_call",
]
