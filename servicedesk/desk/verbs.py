"""The verbs that the incident page offers: each is a form and one action call; who may, and when, say the incidents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

import incidents.actions
import incidents.queries
from audit.actor import Actor
from incidents import permissions
from incidents.models import Incident
from servicedesk.desk import forms, related_forms

Call = Callable[..., Any]
_actions = incidents.actions


@dataclasses.dataclass(frozen=True, slots=True)
class Verb:
    """One button of the page; `own_label` is what a requester reads on it. The action itself has the last word."""

    name: str
    label: Any
    form: type[forms.VerbForm]
    call: Call
    is_primary: bool = False
    is_rare: bool = False
    own_label: Any = ""

    def label_for(self, actor: Actor, incident: Incident) -> Any:
        return self.own_label if self.own_label and permissions.is_own(actor, incident) else self.label

    def run(self, form: forms.VerbForm, incident: Incident, by: Actor, at: datetime) -> Any:
        return self.call(incident=incident, by=by, at=at, **form.values())


VERBS: tuple[Verb, ...] = (
    Verb("acknowledge", _("I am on it"), forms.FirstWinsForm, _actions.acknowledge, is_primary=True),
    Verb("claim", _("Assign to me"), forms.FirstWinsForm, _actions.claim),
    Verb("assign", _("Assign"), forms.AssignForm, _actions.assign),
    Verb("start", _("Start"), forms.PlainForm, _actions.start),
    Verb("hold", _("Hold"), forms.HoldForm, _actions.put_on_hold),
    Verb("resume", _("Resume"), forms.PlainForm, _actions.resume),
    Verb("change-hold", _("Change hold"), forms.HoldForm, _actions.change_hold),
    Verb("settle-reply", _("No answer needed"), forms.PlainForm, _actions.settle_reply),
    Verb("escalate", _("Escalate"), forms.EscalateForm, _actions.escalate_to_team),
    Verb("resolve", _("Resolve"), forms.ResolveForm, _actions.resolve, is_primary=True),
    Verb("settle-workaround", _("Settle workaround"), forms.WorkaroundForm, _actions.settle_workaround),
    Verb("close", _("Close"), forms.CloseForm, _actions.close, is_primary=True, own_label=_("It works again")),
    Verb("reopen", _("Reopen"), forms.ReopenForm, _actions.reopen, own_label=_("It is still broken")),
    Verb("open-again", _("Open again"), forms.AgainForm, _actions.open_again_linked, own_label=_("It came back")),
    Verb("revise", _("Edit"), forms.ReviseForm, _actions.revise, is_rare=True),
    Verb("tell-manager", _("Tell a manager"), forms.TellManagerForm, _actions.tell_manager, is_rare=True),
    Verb("contain", _("Contained"), forms.ContainForm, _actions.contain, is_rare=True),
    Verb("restrict", _("Restrict"), forms.RestrictForm, _actions.restrict, is_rare=True),
    Verb("unrestrict", _("Lift the restriction"), forms.RestrictForm, _actions.unrestrict, is_rare=True),
    Verb("override-priority", _("Override priority"), forms.PriorityForm, _actions.override_priority, is_rare=True),
    Verb("cancel", _("Cancel incident"), forms.CancelForm, _actions.cancel, is_rare=True),
    Verb("merge", _("Merge into another"), related_forms.MergeForm, _actions.merge, is_rare=True),
    Verb("unmerge", _("Take the merge back"), related_forms.UnmergeForm, _actions.unmerge),
    Verb("comment", _("Comment"), forms.CommentForm, _actions.comment_with_files),
)
BY_NAME = {verb.name: verb for verb in VERBS}


def offered(actor: Actor, incident: Incident) -> list[Verb]:
    """The verbs that this person may use on this incident now; the comment is none of them, it has its own form."""
    possible = set(incidents.queries.possible_verbs(actor, incident))
    return [verb for verb in VERBS if verb.name in possible]
