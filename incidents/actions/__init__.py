"""Everything that changes an incident; each verb locks it, asks the predicate, moves it, saves and records."""

from incidents.actions.attaching import FileRefused, attach, comment_with_files
from incidents.actions.bouncing import withdraw_response
from incidents.actions.closing import (
    ClosingIncomplete,
    WorkaroundOpen,
    close,
    confirm,
    schedule_close,
)
from incidents.actions.ending import Resolution, cancel, reopen, resolve, settle_workaround
from incidents.actions.escalating import NobodyAbove, escalate, escalate_by_rules, escalate_to_team, tell_manager
from incidents.actions.frame import LONGEST_TEXT, UNSAID, IllegalTransition, Inactive
from incidents.actions.heirs import MergedMeanwhile, comment_by_old_number
from incidents.actions.holding import (
    change_hold,
    follow_up,
    put_on_hold,
    resume,
    schedule_follow_ups,
    wake_up,
)
from incidents.actions.merging import DifferentRequesters, NotMergeable, NotMerged, merge, unmerge
from incidents.actions.opening import NoMatrix, TimesOutOfOrder, open_again_linked, open_incident
from incidents.actions.ownership import AlreadyAcknowledged, AlreadyHeld, acknowledge, assign, claim, hand_back, start
from incidents.actions.reporting import (
    LinkInvalid,
    ask_to_confirm,
    confirm_report,
    send_link,
    send_list_link,
    send_receipt,
)
from incidents.actions.restricting import note_access, restrict, unrestrict
from incidents.actions.retiring import HasChildren, NeedsSuccessor, change_category, leave_team, retire_category
from incidents.actions.rules import change_routing_rule, create_routing_rule, remove_routing_rule
from incidents.actions.saved_views import remove_view, save_view
from incidents.actions.sorting import (
    change_matrix,
    expire_override,
    override_priority,
    raise_priority_by_system,
    recategorise,
    revise,
    set_priority_inputs,
)
from incidents.actions.talking import add_participant, comment, contain, remove_watcher, settle_reply
from incidents.actions.telling import tell_merged
from incidents.actions.timing import close_by_time, remind_idle, schedule_idle

__all__ = [
    "LONGEST_TEXT",
    "UNSAID",
    "AlreadyAcknowledged",
    "AlreadyHeld",
    "ClosingIncomplete",
    "DifferentRequesters",
    "FileRefused",
    "HasChildren",
    "IllegalTransition",
    "Inactive",
    "LinkInvalid",
    "MergedMeanwhile",
    "NeedsSuccessor",
    "NoMatrix",
    "NobodyAbove",
    "NotMergeable",
    "NotMerged",
    "Resolution",
    "TimesOutOfOrder",
    "WorkaroundOpen",
    "acknowledge",
    "add_participant",
    "ask_to_confirm",
    "assign",
    "attach",
    "cancel",
    "change_category",
    "change_hold",
    "change_matrix",
    "change_routing_rule",
    "claim",
    "close",
    "close_by_time",
    "comment",
    "comment_by_old_number",
    "comment_with_files",
    "confirm",
    "confirm_report",
    "contain",
    "create_routing_rule",
    "escalate",
    "escalate_by_rules",
    "escalate_to_team",
    "expire_override",
    "follow_up",
    "hand_back",
    "leave_team",
    "merge",
    "note_access",
    "open_again_linked",
    "open_incident",
    "override_priority",
    "put_on_hold",
    "raise_priority_by_system",
    "recategorise",
    "remind_idle",
    "remove_routing_rule",
    "remove_view",
    "remove_watcher",
    "reopen",
    "resolve",
    "restrict",
    "resume",
    "retire_category",
    "revise",
    "save_view",
    "schedule_close",
    "schedule_follow_ups",
    "schedule_idle",
    "send_link",
    "send_list_link",
    "send_receipt",
    "set_priority_inputs",
    "settle_reply",
    "settle_workaround",
    "start",
    "tell_manager",
    "tell_merged",
    "unmerge",
    "unrestrict",
    "wake_up",
    "withdraw_response",
]
