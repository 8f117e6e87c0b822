"""How the desk's pages tell an event: one sentence in the reader's language, with names instead of ids."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

import incidents.queries
from accounts.models import Team, User
from audit import subscriptions
from audit.models import Event
from incidents.models import (
    CancelReason,
    Category,
    HoldReason,
    Incident,
    Kind,
    ResolutionCode,
    Service,
    WorkaroundOutcome,
)
from incidents.models.conversation import name_for_requester

#: What of a clock a reader of an incident's story is spared: the machinery's own steps.
LEFT_OUT = frozenset({
    "clock.started", "clock.terms_changed", "clock.cancelled", "incident.close_scheduled", "page.joined",
    "message.sent", "message.cancelled", "incident.file_attached", "clock.rebased",
    "mail.judged", "alert.moved",
})  # fmt: skip
#: Ways in that are worth a word beside the name.
_CHANNELS = {"api": _("API"), "link": _("link"), "admin": _("settings"), "mail": _("mail")}

#: Kind -> sentence; the parts are keys of the event's data, said in words by `_words`. Who did it stands beside it.
SENTENCES: dict[str, Any] = {
    "incident.opened": _("opened it"),
    "incident.assigned": _("assigned it to %(owner)s"),
    "incident.claimed": _("took it"),
    "incident.started": _("began to work on it"),
    "incident.acknowledged": _("acknowledged: “I am on it”"),
    "incident.put_on_hold": _("put it on hold, %(hold_reason)s, until %(until)s"),
    "incident.hold_changed": _("changed the hold: %(new)s, until %(until)s"),
    "incident.resumed": _("took it off hold"),
    "incident.wake_up_due": _("woke it up"),
    "incident.resolved": _("resolved it: %(code)s"),
    "incident.workaround_settled": _("settled the workaround: %(outcome)s"),
    "incident.reopened": _("reopened it"),
    "incident.closed": _("closed it: %(confirmation)s"),
    "incident.cancelled": _("cancelled it: %(cancel_reason)s"),
    "incident.priority_changed": _("changed the priority from P%(old)s to P%(new)s"),
    "incident.priority_overridden": _("overrode the priority: %(override)s"),
    "incident.recategorised": _("sorted it under %(sorted)s"),
    "incident.details_changed": _("edited it: %(fields)s"),
    "incident.contained": _("contained it: %(note)s"),
    "incident.converted": _("made it a %(new)s, which was a %(old)s"),
    "incident.escalated": _("escalated it: %(whom)s"),
    "incident.restricted": _("restricted it"),
    "incident.unrestricted": _("lifted its restriction"),
    "incident.restricted_read": _("read it as an auditor"),
    "incident.follow_up_sent": _("reminded the requester; the wait ends on %(ends_at)s"),
    "incident.confirmed": _("said that it works"),
    "incident.replied": _("wrote, and somebody has to look"),
    "incident.reply_settled": _("read the message: it needs no answer"),
    "incident.participant_added": _("added %(user)s as a watcher"),
    "incident.participant_removed": _("removed %(user)s from the watchers"),
    "incident.idle_reminder_due": _("reminded its owner: nothing happened for long"),
    "incident.merged": _("merged it into %(target)s"),
    "incident.unmerged": _("took its merge into %(target)s back"),
    "incident.absorbed": _("merged %(source)s into it"),
    "incident.released": _("took the merge of %(source)s back"),
    "incident.parent_set": _("made it a child of %(parent)s"),
    "incident.linked": _("linked it: %(link_kind)s %(other)s"),
    "incident.unlinked": _("took the link to %(other)s back"),
    "incident.split": _("split off %(part)s"),
    "incident.task_added": _("noted the task “%(title)s”"),
    "incident.task_changed": _("changed the task “%(title)s”"),
    "incident.task_done": _("finished the task “%(title)s”"),
    "incident.task_dropped": _("dropped the task “%(title)s”"),
    "incident.task_late": _("reminded of the late task “%(title)s”"),
    "incident.major_proposed": _("proposed it as a major incident"),
    "incident.major_accepted": _("accepted it as a major incident; commander: %(commander)s"),
    "incident.major_rejected": _("said that it is no major incident"),
    "incident.major_demoted": _("demoted it: no longer a major incident"),
    "incident.major_overdue": _("waited in vain for a decision about a major incident"),
    "incident.major_roles_set": _("named %(commander)s, %(communications_lead)s and %(scribe)s"),
    "incident.updated": _("gave an update to everyone"),
    "incident.closing_planned": _("planned its closing: %(owner)s on %(close_on)s"),
    "incident.closing_due": _("reminded %(owner)s to close it"),
    "incident.recurred": _("opened it again as %(recurrence)s"),
    "clock.paused": _("paused the clock: %(target)s (%(hold_reason)s)"),
    "clock.resumed": _("let the clock run on: %(target)s"),
    "clock.met": _("%(target)s: in time"),
    "clock.threshold_reached": _("%(target)s: %(percent)s %% of the time is used up"),
    "clock.breach_voided": _("%(target)s: the missed deadline no longer counts, the merge that caused it is undone"),
    "clock.breached": _("%(target)s: the deadline has passed"),
    "page.started": _("began to page by %(policy)s"),
    "page.notified": _("paged %(users)s (round %(round)s, level %(level)s)"),
    "page.unreachable": _("reached nobody on level %(level)s"),
    "page.escalated": _("escalated to level %(level)s: %(why)s"),
    "page.contact_failed": _("could not reach %(user)s"),
    "page.acknowledged": _("stopped the page: %(user)s has it"),
    "page.extended": _("asked for more time, until %(until)s"),
    "page.timed_out": _("ran the page again: the time of %(user)s ran out"),
    "page.passed_on": _("passed the page on"),
    "page.exhausted": _("ran out of levels in %(rounds)s rounds: %(why)s"),
    "page.stopped": _("ended the page"),
    "page.link_renewed": _("sent %(user)s a new link"),
    "incident.response_bounced": _("the answer came back undelivered: nobody has been answered yet"),
    "rating.given": _("rated it: %(score)s of 5"),
    "rating.changed": _("changed the rating from %(old)s to %(score)s of 5"),
    "rating.settled": _("settled the low rating"),
    "message.bounced": _("got a mail back that did not reach the requester"),
    "message.failed": _("could not deliver a message"),
    "message.uncertain": _("does not know whether a message arrived"),
    "alert.fired": _("reported the alert “%(title)s”"),
    "alert.recovered": _("reported that the alert recovered"),
    "postmortem.owed": _("asked for a post-mortem by %(due_at)s"),
    "postmortem.drafted": _("drafted the post-mortem"),
    "postmortem.submitted": _("handed the post-mortem in for review"),
    "postmortem.returned": _("gave the post-mortem back"),
    "postmortem.published": _("published the post-mortem"),
}
TARGETS = {
    "acknowledge": _("acknowledge"), "respond": _("respond"), "next_reply": _("answer the requester"),
    "resolve": _("resolve"), "own": _("find an owner"),
    "update": _("tell how it stands"),
}  # fmt: skip
_CHOICES: dict[str, Mapping[str, Any]] = {
    "hold_reason": dict(HoldReason.choices),
    "new": dict(HoldReason.choices),
    "code": dict(ResolutionCode.choices),
    "cancel_reason": dict(CancelReason.choices),
    "outcome": dict(WorkaroundOutcome.choices),
    "target": TARGETS,
}
_MOMENTS = frozenset({"until", "due_at", "ends_at"})
#: Key of the data -> the model whose row it names by id.
_NAMED: dict[str, type[Any]] = {
    "team": Team, "assignee": User, "user": User, "users": User, "told": User, "category": Category, "service": Service,
    "commander": User, "communications_lead": User, "scribe": User, "owner": User,
}  # fmt: skip


_WHY_TEAM = {
    "rule": _("routing rule “%(rule)s”"),
    "service": _("it owns the service"),
    "triage": _("no rule matched: triage"),
    "sla": _("an SLA rule moved it"),
    "leaver": _("somebody left, so it came back to the queue"),
}


def why_team(incident: Incident) -> str:
    """Why the incident is in its queue, in a few words."""
    why = incidents.queries.why_this_team(incident)
    if why is None:
        return ""
    template = _WHY_TEAM.get(why.by, _("%(who)s chose it"))
    return str(template) % {"rule": why.rule, "who": why.event.actor_label}


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """One line of an incident's story."""

    at: datetime
    who: str
    channel: str
    text: str
    reason: str
    meaning: str


def tell(events: Iterable[Event], reader: Incident | None = None) -> list[Told]:
    """The events as sentences; whom and what they name is read in one query for each kind of thing.

    `reader` is the incident whose requester reads: then no key is named.
    """
    kept = [one for one in events if one.kind not in LEFT_OUT]
    names = _names_in(kept)
    return [_told(one, names, reader) for one in kept]


def _told(event: Event, names: Mapping[type[Any], Mapping[int, str]], reader: Incident | None) -> Told:
    declared = subscriptions.declared_kinds().get(event.kind)
    meaning = declared.meaning if declared else ""
    template = SENTENCES.get(event.kind)
    words = defaultdict(lambda: "–", _words(event, names))
    text = str(template) % words if template else meaning or event.kind
    is_person = event.actor_kind in ("person", "key")
    who = event.actor_label if is_person else _now("the desk")
    if is_person and reader is not None:
        who = name_for_requester(event, reader)
    channel = str(_CHANNELS.get(event.channel, "")) if is_person else ""
    return Told(event.at, who, channel, text, event.reason, meaning)


def _names_in(events: Iterable[Event]) -> dict[type[Any], dict[int, str]]:
    wanted: dict[type[Any], set[int]] = {}
    for event in events:
        for key, model in _NAMED.items():
            value = event.data.get(key)
            ids = value if isinstance(value, list) else [value]
            wanted.setdefault(model, set()).update(one for one in ids if isinstance(one, int))
    return {
        model: dict(model._default_manager.filter(pk__in=ids).values_list("pk", "name"))
        for model, ids in wanted.items()
        if ids
    }


def _words(event: Event, names: Mapping[type[Any], Mapping[int, str]]) -> dict[str, str]:
    data = event.data
    words = {key: _word(key, value, names) for key, value in data.items()
             if value not in (None, "", []) and not isinstance(value, dict)}  # fmt: skip
    if event.kind in ("page.escalated", "page.exhausted"):
        unreached = data.get("reached") is False or data.get("cause") == "nobody could be reached"
        words["why"] = _now("nobody could be reached") if unreached else _now("nobody confirmed")
    if event.kind == "incident.assigned":
        owner = [words[key] for key in ("team", "assignee") if key in words]
        words["owner"] = ", ".join(owner) or _now("nobody")
    elif event.kind == "incident.escalated":
        words["whom"] = words.get("told" if data.get("told") else "team", "–")
    elif event.kind == "incident.converted":
        words |= {key: str(dict(Kind.choices).get(data.get(key), "–")) for key in ("old", "new")}
    elif event.kind == "incident.recategorised":
        words["sorted"] = ", ".join(words[key] for key in ("category", "service") if key in words) or "–"
    elif event.kind == "incident.priority_overridden":
        words["override"] = f"P{data['override']}" if data.get("override") else _now("as the matrix says")
    elif event.kind == "page.notified" and data.get("level") == 0:
        words["level"] = _now("fallback")
    return words


def _word(key: str, value: Any, names: Mapping[type[Any], Mapping[int, str]]) -> str:
    if key in _NAMED:
        known = names.get(_NAMED[key], {})
        ids = value if isinstance(value, list) else [value]
        return ", ".join(known.get(one, _now("somebody")) for one in ids)
    if key in _MOMENTS and isinstance(value, str):
        return _moment(value)
    if isinstance(value, list):
        return ", ".join(str(one).removesuffix("_id").replace("_", " ") for one in value)
    return str(_CHOICES.get(key, {}).get(value, value))


def _moment(value: str) -> str:
    try:
        return f"{timezone.localtime(datetime.fromisoformat(value)):%Y-%m-%d %H:%M}"
    except ValueError:
        return value
