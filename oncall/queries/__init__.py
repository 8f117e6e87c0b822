"""Reads over rotas, policies and pages."""

from oncall.queries.pages import (
    admins,
    link_of,
    next_people,
    open_pages,
    people_of_targets,
    policy_of,
    snapshot_of,
)
from oncall.queries.rotas import InvalidRestriction, final_row, gaps_of, layer_of, who_is_on_call, windows_of

__all__ = [
    "InvalidRestriction",
    "admins",
    "final_row",
    "gaps_of",
    "layer_of",
    "link_of",
    "next_people",
    "open_pages",
    "people_of_targets",
    "policy_of",
    "snapshot_of",
    "who_is_on_call",
    "windows_of",
]
