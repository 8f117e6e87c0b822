"""Runs every check; the worst findings first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from servicedesk.doctor import answering, sorting
from servicedesk.doctor.findings import Finding, Level

CHECKS: tuple[Callable[[datetime], list[Finding]], ...] = (
    answering.policies_with_nobody, answering.people_unreachable, answering.rotas_with_gaps,
    answering.teams_and_services, answering.lone_admin, answering.calendars_running_out, answering.machinery,
    sorting.stranded_incidents, sorting.orphaned_rules, sorting.share_of_other, sorting.unused_categories,
    sorting.deep_categories,
)  # fmt: skip


def examine(at: datetime) -> list[Finding]:
    """Every finding at `at`, errors first."""
    found = [one for check in CHECKS for one in check(at)]
    return sorted(found, key=lambda one: list(Level).index(one.level))
