"""What stands beside an incident on its page: family, merged ones, links, tasks, watchers, and the verbs for them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

import incidents.actions
import incidents.queries
from audit.actor import Actor
from incidents import permissions
from incidents.models import OPEN_STATES, Incident, IncidentLink, MajorIncident, Participant, State, Task
from servicedesk.desk import related_forms as forms
from servicedesk.desk.verbs import Verb

_actions = incidents.actions


def _of_row(action: Any) -> Any:
    """The action of a row of the incident; the row names the incident itself."""

    def call(*, incident: Incident, **given: Any) -> Any:
        return action(**given)

    return call


VERBS: tuple[Verb, ...] = (
    Verb("add-task", _("Add a task"), forms.TaskForm, _actions.add_task),
    Verb("set-parent", _("Choose the parent"), forms.ParentForm, _actions.set_parent),
    Verb("link", _("Link"), forms.LinkForm, _actions.add_link),
    Verb("split", _("Split off"), forms.SplitForm, _actions.split),
    Verb("duplicate", _("Close as duplicate"), forms.DuplicateForm, _actions.cancel_as_duplicate),
    Verb("add-watcher", _("Add a watcher"), forms.WatcherForm, _actions.add_participant),
)
MAJOR_VERBS: tuple[Verb, ...] = (
    Verb("propose-major", _("Propose as a major incident"), forms.WhyForm, _actions.propose_major),
    Verb("accept-major", _("Accept as major"), forms.AcceptForm, _actions.accept_major, is_primary=True),
    Verb("reject-major", _("Reject"), forms.WhyForm, _actions.reject_major),
    Verb("give-update", _("Give an update"), forms.UpdateForm, _actions.give_update, is_primary=True),
    Verb("set-major-roles", _("Name the roles"), forms.RolesForm, _actions.set_major_roles),
    Verb("plan-closing", _("Plan the closing"), forms.ClosingForm, _actions.plan_closing),
    Verb("demote-major", _("Demote"), forms.WhyForm, _actions.demote_major),
)
ROW_VERBS: tuple[Verb, ...] = (
    Verb("finish-task", _("Done"), forms.TaskRowForm, _of_row(_actions.finish_task)),
    Verb("drop-task", _("Drop"), forms.TaskRowForm, _of_row(_actions.drop_task)),
    Verb("unlink", _("Remove"), forms.LinkRowForm, _of_row(_actions.remove_link)),
)
BY_NAME = {verb.name: verb for verb in (*VERBS, *ROW_VERBS, *MAJOR_VERBS)}


def of(actor: Actor, incident: Incident, *, is_staff: bool, refused: Any = None) -> dict[str, Any]:
    """The incidents around this one, as far as the reader may see them, and what may be done about it."""
    found: dict[str, Any] = {"heir": incidents.queries.visible_heir(actor, incident)}
    found["major_offered"] = _forms(_major_verbs(actor, incident), actor, incident, refused)
    if not is_staff:
        return found
    found["major"] = MajorIncident.objects.newest_of(incident)
    visible = Incident.objects.visible_to(actor).select_related("requester")
    links = IncidentLink.objects.visible_to(actor).touching(incident).select_related("incident", "other")
    watching = Participant.objects.filter(incident=incident, role="watcher").select_related("user")
    tasks = Task.objects.filter(incident=incident).select_related("owner")
    return found | {
        "merged": list(visible.filter(merged_into=incident).order_by("number")),
        "parent": visible.filter(pk=incident.parent_id or 0).first(),
        "children": list(visible.filter(parent=incident).order_by("number")),
        "links": [(link, link.other if link.incident_id == incident.pk else link.incident) for link in links],
        "tasks": list(tasks.order_by("done_at", "due_at", "pk")),
        "open_tasks": tasks.open().count() if incident.state == State.RESOLVED else 0,
        "watchers": [one.user for one in watching.order_by("pk")],
        "may": permissions.can_work(actor, incident) and incident.merged_into_id is None,
        "offered": _offered(actor, incident, refused),
    }


def _offered(actor: Actor, incident: Incident, refused: Any) -> list[dict[str, Any]]:
    if not permissions.can_work(actor, incident) or incident.state in (State.CLOSED, State.CANCELLED):
        return []
    may_cancel = incident.state in OPEN_STATES and permissions.can_cancel(actor, incident)
    return _forms([one for one in VERBS if one.name != "duplicate" or may_cancel], actor, incident, refused)


def _major_verbs(actor: Actor, incident: Incident) -> list[Verb]:
    """What may be done about a major incident now; the action has the last word."""
    may_propose = permissions.can_propose_major(actor, incident)
    may_decide = permissions.can_decide_major(actor, incident)
    if not (may_propose or may_decide):
        return []
    state = getattr(MajorIncident.objects.live_of(incident), "state", "")
    names: set[str] = set()
    if state == "accepted":
        names |= {"give-update", "set-major-roles", "plan-closing"} if permissions.can_work(actor, incident) else set()
        names |= {"demote-major"} if may_decide else set()
    elif state == "proposed":
        names |= {"accept-major", "reject-major"} if may_decide else set()
    elif may_propose and incident.is_open:
        names.add("propose-major")
    return [verb for verb in MAJOR_VERBS if verb.name in names]


def _forms(verbs: list[Verb], actor: Actor, incident: Incident, refused: Any) -> list[dict[str, Any]]:
    """The forms of the verbs; that of a refused one as it was typed."""
    return [
        {
            "verb": verb,
            "label": verb.label,
            "form": refused.form
            if refused and refused.verb is verb
            else verb.form(incident=incident, actor=actor, auto_id=f"{verb.name}_%s"),
        }
        for verb in verbs
    ]
