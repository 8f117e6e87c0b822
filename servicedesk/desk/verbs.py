"""The verbs that the incident page offers: each is a predicate, a form and one action call."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

import incidents.actions
from audit.actor import Actor
from incidents import permissions
from incidents.models import Incident
from servicedesk.desk.forms import (
    AcknowledgeForm,
    AssignForm,
    CancelForm,
    CloseForm,
    CommentForm,
    HoldForm,
    PriorityForm,
    ReasonForm,
    ResolveForm,
    VersionForm,
)

Call = Callable[..., Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Verb:
    """One button of the page. `states` are those in which it makes sense; the action itself has the last word."""

    name: str
    label: Any
    form: type[forms.Form]
    call: Call
    allowed: Callable[[Actor, Incident], bool]
    states: frozenset[str]
    primary: bool = False


OPEN = frozenset({"new", "assigned", "in_progress", "on_hold"})
_actions = incidents.actions

VERBS: tuple[Verb, ...] = (
    Verb("acknowledge", _("I am on it"), AcknowledgeForm, _actions.acknowledge, permissions.can_acknowledge, OPEN, True),
    Verb("claim", _("Assign to me"), VersionForm, _actions.claim, permissions.can_work, OPEN),
    Verb("assign", _("Assign"), AssignForm, _actions.assign, permissions.can_work, OPEN),
    Verb("start", _("Start"), VersionForm, _actions.start, permissions.can_work, frozenset({"new", "assigned"})),
    Verb("hold", _("Hold"), HoldForm, _actions.put_on_hold, permissions.can_work, OPEN - {"on_hold"}),
    Verb("change-hold", _("Change hold"), HoldForm, _actions.change_hold, permissions.can_work, frozenset({"on_hold"})),
    Verb("resume", _("Resume"), VersionForm, _actions.resume, permissions.can_work, frozenset({"on_hold"})),
    Verb("resolve", _("Resolve"), ResolveForm, _actions.resolve, permissions.can_work, OPEN, True),
    Verb("reopen", _("Reopen"), ReasonForm, _actions.reopen, permissions.can_reopen, frozenset({"resolved"})),
    Verb("close", _("Close"), CloseForm, _actions.close, permissions.can_close, frozenset({"resolved"})),
    Verb("override-priority", _("Priority"), PriorityForm, _actions.override_priority, permissions.can_override_priority, OPEN),
    Verb("cancel", _("Cancel incident"), CancelForm, _actions.cancel, permissions.can_cancel, OPEN),
    Verb(
        "comment", _("Comment"), CommentForm, _actions.comment, permissions.can_comment,
        OPEN | {"resolved", "closed", "cancelled"},
    ),
)  # fmt: skip
BY_NAME = {verb.name: verb for verb in VERBS}


def offered(actor: Actor, incident: Incident) -> list[Verb]:
    """The verbs that this person may use on this incident now, without the comment, which has its own form."""
    return [
        verb
        for verb in VERBS
        if verb.name != "comment" and incident.state in verb.states and verb.allowed(actor, incident)
    ]
