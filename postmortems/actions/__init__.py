"""The verbs of post-mortems: owed, drafted, written, reviewed, published; and their action items."""

from postmortems.actions.documents import (
    NotPublishable,
    cancel,
    change,
    draft,
    owe,
    publish,
    return_to_draft,
    submit,
)
from postmortems.actions.items import (
    add_action_item,
    cancel_action_item,
    change_action_item,
    finish_action_item,
    reopen_action_item,
    start_action_item,
    verify_action_item,
)
from postmortems.actions.steps import WrongState
from postmortems.actions.templates import save_template
from postmortems.actions.writing import add_entry, change_entry, extend_timeline, hide_entry, show_entry, write_section

__all__ = [
    "NotPublishable",
    "WrongState",
    "add_action_item",
    "add_entry",
    "cancel",
    "cancel_action_item",
    "change",
    "change_action_item",
    "change_entry",
    "draft",
    "extend_timeline",
    "finish_action_item",
    "hide_entry",
    "owe",
    "publish",
    "reopen_action_item",
    "return_to_draft",
    "save_template",
    "show_entry",
    "start_action_item",
    "submit",
    "verify_action_item",
    "write_section",
]
