"""Everything that changes a page, a rota or an escalation policy."""

from oncall.actions.answering import (
    AlreadyHeld,
    NothingToExtend,
    NotTheHolder,
    PageEnded,
    acknowledge_page,
    acknowledge_pages,
    extend,
    note_activity,
    pass_on,
    stop_pages,
    time_out,
)
from oncall.actions.configuring import assign_policy, save_policy, save_schedule
from oncall.actions.failing import pass_failed_contact, pass_on_for_leaver
from oncall.actions.linking import LinkInvalid, use_link
from oncall.actions.paging import (
    end_major_pages,
    escalate,
    page_undecided_major,
    reconsider,
    start_page,
    start_page_for,
    start_pages_for_clock,
    take_over_pages,
)

__all__ = [
    "AlreadyHeld",
    "LinkInvalid",
    "NotTheHolder",
    "NothingToExtend",
    "PageEnded",
    "acknowledge_page",
    "acknowledge_pages",
    "assign_policy",
    "end_major_pages",
    "escalate",
    "extend",
    "note_activity",
    "page_undecided_major",
    "pass_failed_contact",
    "pass_on",
    "pass_on_for_leaver",
    "reconsider",
    "save_policy",
    "save_schedule",
    "start_page",
    "start_page_for",
    "start_pages_for_clock",
    "stop_pages",
    "take_over_pages",
    "time_out",
    "use_link",
]
