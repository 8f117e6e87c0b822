"""Read models over incidents: references, the timeline that an actor may read, and what an actor can do next."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib.postgres.search import TrigramSimilarity
from django.db.models import Case, F, Q, QuerySet, When

from accounts.models import Team, User
from accounts.roles import STAFF
from audit.actor import Actor
from audit.models import Event
from audit.queries import fetch, kept
from incidents import permissions, routing, times
from incidents.events import IncidentEvent
from incidents.models import (
    OPEN_STATES,
    Attachment,
    Category,
    ClosingField,
    ClosingRule,
    Comment,
    Incident,
    Merge,
    Participant,
    ParticipantRole,
    PriorityMatrix,
    RoutingRule,
    State,
)

_REFERENCE = re.compile(r"\s*(?:INC-)?([0-9]{1,15})\s*", re.ASCII | re.IGNORECASE)

#: What a requester's timeline shows: the public part of what was done.
PUBLIC_KINDS = (
    IncidentEvent.OPENED, IncidentEvent.ACKNOWLEDGED, IncidentEvent.PUT_ON_HOLD, IncidentEvent.RESUMED,
    IncidentEvent.RESOLVED, IncidentEvent.REOPENED, IncidentEvent.CLOSED, IncidentEvent.CANCELLED,
)  # fmt: skip

_RESOLVED = (State.RESOLVED.value,)
_WORKED = (State.NEW.value, State.ASSIGNED.value, State.IN_PROGRESS.value)

#: verb -> (who may, in which states).
VERBS: dict[str, tuple[Callable[..., bool], tuple[str, ...]]] = {
    "acknowledge": (permissions.can_acknowledge, OPEN_STATES),
    "claim": (permissions.can_acknowledge, OPEN_STATES),
    "assign": (permissions.can_work, OPEN_STATES),
    "start": (permissions.can_work, (State.NEW.value, State.ASSIGNED.value)),
    "hold": (permissions.can_work, _WORKED),
    "change-hold": (permissions.can_work, (State.ON_HOLD.value,)),
    "resume": (permissions.can_work, (State.ON_HOLD.value,)),
    "contain": (permissions.can_work, OPEN_STATES),
    "escalate": (permissions.can_work, OPEN_STATES),
    "tell-manager": (permissions.can_work, OPEN_STATES),
    "resolve": (permissions.can_work, OPEN_STATES),
    "settle-reply": (permissions.can_work, (State.ON_HOLD.value, State.RESOLVED.value)),
    "settle-workaround": (permissions.can_work, _RESOLVED),
    "reopen": (permissions.can_reopen, _RESOLVED),
    "close": (permissions.can_close, _RESOLVED),
    "cancel": (permissions.can_cancel, OPEN_STATES),
    "override-priority": (permissions.can_override_priority, OPEN_STATES),
    "restrict": (permissions.can_restrict, tuple(State.values)),
    "unrestrict": (permissions.can_restrict, tuple(State.values)),
    "revise": (permissions.can_work, tuple(state for state in State.values if state != State.CANCELLED)),
    "open-again": (permissions.can_open_again, (State.CLOSED.value,)),
    "merge": (permissions.can_work, OPEN_STATES),
    "unmerge": (permissions.can_work, (State.CANCELLED.value,)),
}


def number_of(reference: str) -> int | None:
    """The number in `INC-000123`, `inc-123` or `123`; None for anything else."""
    found = _REFERENCE.fullmatch(reference)
    return int(found[1]) if found else None


def visible_by_reference(actor: Actor, reference: str) -> Incident | None:
    """The incident of a reference, if there is one that the actor may see."""
    number = number_of(reference)
    return None if number is None else Incident.objects.visible_to(actor).filter(number=number).first()


def visible_numbers(actor: Actor, numbers: Iterable[int | None]) -> set[int]:
    """Those of the numbers that the actor may read; no query where nothing is asked or everything is seen."""
    asked = {one for one in numbers if one is not None}
    if not asked or permissions.sees_all(actor):
        return asked
    return set(Incident.objects.visible_to(actor).filter(number__in=asked).values_list("number", flat=True))


def roles_in(actor: Actor, incident: Incident) -> frozenset[str]:
    """In which roles the actor takes part: watcher, paged."""
    if actor.user_id is None:
        return frozenset()
    rows = Participant.objects.filter(incident=incident, user_id=actor.user_id)
    return frozenset(rows.values_list("role", flat=True))


#: Of so many newest incidents that share a word the most alike are shown.
_COMPARED, _LEAST_ALIKE = 200, 0.3


def similar_to(actor: Actor, incident: Incident, limit: int = 10) -> list[Any]:
    """The incidents most like this one that the actor may see: by the title's words, the service and the category.

    Only the newest that share a word are compared, so that a frequent word costs no more than a rare one.
    """
    shares = Incident.objects.visible_to(actor).sharing_words_with(incident.title)
    others = shares.exclude(pk=incident.pk).exclude(state=State.CANCELLED).order_by("-number").values("pk")
    same = {name: getattr(incident, f"{name}_id") for name in ("service", "category")}
    alike: Any = TrigramSimilarity("title", incident.title)
    for name, value in same.items():
        if value is not None:
            alike += Case(When(**{f"{name}_id": value, "then": 0.15}), default=0.0)
    rows = Incident.objects.filter(pk__in=others[:_COMPARED]).annotate(alike=alike).filter(alike__gte=_LEAST_ALIKE)
    return list(rows.select_related("assignee").order_by("-alike", "-number")[:limit])


def others_of_requester(actor: Actor, incident: Incident, limit: int = 5) -> list[Incident]:
    """The newest other incidents of the same requester that the actor may see."""
    if incident.requester_id is None:
        return []
    theirs = Incident.objects.visible_to(actor).filter(requester_id=incident.requester_id)
    return list(theirs.exclude(pk=incident.pk).order_by("-number")[:limit])


#: So many newest incidents are looked through for a frequent word, before the index is asked for a rare one.
NEWEST = 3000


def newest_number() -> int:
    return Incident.objects.order_by("-number").values_list("number", flat=True).first() or 0


def by_index(found: Any) -> Any:
    """What a search matches, newest first as `place`, never by walking all numbers until enough words have matched.

    The planner trusts that words of a search stand in many incidents; where they stand in none it would read them all.
    """
    return found.annotate(place=F("number") + 0).order_by("-place")


def search(rows: Any, text: str, actor: Actor, limit: int) -> list[Incident]:
    """The newest incidents that match the words; where nothing does, those spelled much like them."""
    found = rows.matching(text, actor)
    newest = list(found.filter(number__gt=newest_number() - NEWEST).order_by("-number")[:limit])
    if len(newest) == limit:
        return newest
    return list(by_index(found)[:limit]) or list(by_index(rows.resembling(text))[:limit])


def search_rows(rows: Any, text: str, actor: Actor) -> Any:
    """The same as rows that are still to be read."""
    found = rows.matching(text, actor)
    return found if by_index(found).values("pk")[:1] else rows.resembling(text)


def is_staff_for(actor: Actor, incident: Incident) -> bool:
    """Whether the actor reads the internal part; taking part is looked up only when it decides."""
    if permissions.is_staff_for(actor, incident):
        return True
    roles = roles_in(actor, incident)
    return permissions.is_staff_for(
        actor, incident, is_participant=bool(roles), is_paged=ParticipantRole.PAGED in roles
    )


def followed(actor: Actor, incident_ids: Iterable[int]) -> dict[int, set[str]]:
    """Incident id -> the actor's roles in it, for the rows of a list, in one query."""
    found: dict[int, set[str]] = {}
    if actor.user_id is not None:
        rows = Participant.objects.filter(user_id=actor.user_id, incident_id__in=list(incident_ids))
        for incident_id, role in rows.values_list("incident_id", "role"):
            found.setdefault(incident_id, set()).add(role)
    return found


def possible_verbs(actor: Actor, incident: Incident) -> list[str]:
    """The verbs that the incident's state and the actor's rights allow now, for buttons."""
    paged = ParticipantRole.PAGED in roles_in(actor, incident)
    return [
        verb for verb, (predicate, states) in VERBS.items()
        if incident.state in states
        and _makes_sense(verb, incident)
        and _allows(predicate, actor, incident, is_paged=paged)
    ]  # fmt: skip


def _allows(predicate: Callable[..., bool], actor: Actor, incident: Incident, *, is_paged: bool) -> bool:
    if is_paged and "is_paged" in (predicate.__kwdefaults__ or {}):
        return predicate(actor, incident, is_paged=True)
    return predicate(actor, incident)


def _makes_sense(verb: str, incident: Incident) -> bool:
    """A button that could only be refused, or change nothing, is not shown."""
    if verb == "acknowledge":
        return incident.acknowledged_at is None
    if verb == "unmerge":
        return incident.merged_into_id is not None
    if verb == "claim":
        return incident.assignee_id is None
    if verb == "settle-reply":
        return incident.replied_at is not None
    if verb in ("restrict", "unrestrict"):
        return incident.is_restricted is (verb == "unrestrict")
    if verb == "settle-workaround":
        return incident.fix_kind == "workaround" and not incident.workaround_outcome
    return True


def comments_for(actor: Actor, incident: Incident, *, is_staff: bool | None = None) -> QuerySet[Comment]:
    """The conversation as the actor may read it: internal notes only for who works at it.

    What was merged into it is read with it, by the desk and by who reported both. What a requester wrote to the number
    of a merged incident, and the desk's answers to it, are theirs alone.
    """
    if is_staff is None:
        is_staff = is_staff_for(actor, incident)
    parts = thread_of(incident)
    rows = Comment.objects.select_related("author", "incident__team")
    if is_staff:
        return rows.filter(Q(incident__in=parts) | Q(addressed_to=incident))
    own = [one for one in parts if one.pk == incident.pk or permissions.is_own(actor, one)]
    return rows.filter(Q(incident__in=own, is_public=True) | Q(addressed_to__in=own))


def thread_of(incident: Incident) -> list[Incident]:
    """The incident and everything that was merged into it, at whatever depth."""
    found, newest = [incident], [incident]
    while newest:
        newest = list(Incident.objects.filter(merged_into__in=newest).order_by("pk"))
        found += newest
    return found


def heir_of(incident: Incident) -> Incident:
    """The incident that lives on after merges: itself, unless it was merged. Read without a lock."""
    heir = incident
    while heir.merged_into_id is not None:
        heir = Incident.objects.get(pk=heir.merged_into_id)
    return heir


def visible_heir(actor: Actor, incident: Incident) -> Incident | None:
    """Where the number of a merged incident leads the actor; None when it was not merged, or for who may not see it."""
    if incident.merged_into_id is None:
        return None
    return Incident.objects.visible_to(actor).filter(pk=heir_of(incident).pk).first()


def own_times(incident: Incident) -> times.EarlyTimes:
    """The incident's early times without those that merges brought."""
    first = Merge.objects.active().filter(target=incident).order_by("pk").first()
    return times.of(incident) if first is None else times.read(first.own_times)


def has_own_audience(source: Incident, target: Incident) -> bool:
    """Whether another person reported the source, so that its conversation stays apart from the target's."""
    return source.requester_id is not None and source.requester_id != target.requester_id


def merged_with_own_audience(incident: Incident) -> list[Incident]:
    return [one for one in thread_of(incident)[1:] if has_own_audience(one, incident)]


def watchers_that_follow(source: Incident, target: Incident) -> list[User]:
    """Who watches the source and will watch the target too: with another requester only people of the desk."""
    watching = Participant.objects.filter(role=ParticipantRole.WATCHER)
    people = User.objects.get_queryset().filter(pk__in=watching.filter(incident=source).values("user_id"))
    people = people.exclude(pk__in=watching.filter(incident=target).values("user_id"))
    if has_own_audience(source, target):
        people = people.filter(is_staff=True).exclude(pk=source.requester_id or 0)
    return list(people.order_by("pk"))


def readers_of_merge(source: Incident, target: Incident) -> list[str]:
    """Who will read what if two incidents of different requesters become one; empty where they have the same."""
    if target.requester is None or source.requester is None or not has_own_audience(source, target):
        return []
    told = [
        f"The desk's people who see {target.reference} will read the whole thread of {source.reference}.",
        f"{target.requester} reads nothing of {source.reference}.",
        f"{source.requester} reads nothing of {target.reference}, only that it was solved; what they write to "
        f"{source.reference} is read by the desk.",
    ]
    watchers = ", ".join(str(one) for one in watchers_that_follow(source, target))
    return [*told, f"Will watch {target.reference} too: {watchers}."] if watchers else told


def is_desk(actor: Actor) -> bool:
    """Whether the actor works at the desk, rather than only asks it for help."""
    return actor.has_role(*STAFF)


def attachments_for(actor: Actor, incident: Incident, *, is_staff: bool | None = None) -> QuerySet[Attachment]:
    """The files as the actor may read them: those of internal notes only for who works at it."""
    if is_staff is None:
        is_staff = is_staff_for(actor, incident)
    parts = thread_of(incident)
    rows = Attachment.objects.select_related("author", "incident__team")
    if is_staff:
        return rows.filter(incident__in=parts)
    own = [one for one in parts if one.pk == incident.pk or permissions.is_own(actor, one)]
    return rows.public().filter(incident__in=own)


def timeline_for(actor: Actor, incident: Incident, *, is_staff: bool | None = None) -> QuerySet[Event]:
    """Everything that happened about the incident; a requester sees the public part of it."""
    if is_staff is None:
        is_staff = is_staff_for(actor, incident)
    rows = Event.objects.filter(about_type=Incident._meta.label_lower, about_id=incident.pk)
    if is_staff:
        return rows
    said = [str(IncidentEvent.COMMENTED), str(IncidentEvent.FILE_ATTACHED)]
    spoken = Q(kind__in=said, data__is_public=True)
    return rows.filter(Q(kind__in=[str(kind) for kind in PUBLIC_KINDS]) | spoken)


def texts_of(events: Iterable[Event]) -> dict[int, str]:
    """Event id -> the comment that it tells of, for a page of a timeline, in one query."""
    told = {one.pk: one.data.get("comment") for one in events if one.kind == str(IncidentEvent.COMMENTED)}
    bodies = dict(Comment.objects.filter(pk__in=[pk for pk in told.values() if pk]).values_list("pk", "body"))
    return {event_id: bodies[pk] for event_id, pk in told.items() if pk in bodies}


def current_matrix() -> PriorityMatrix | None:
    return PriorityMatrix.objects.filter(is_current=True).first()


def explain_priority(incident: Incident) -> dict[str, Any]:
    """Why the incident has its priority: the matrix version, the cell, the VIP rule, the override."""
    judge = incident.matrix
    raised = incident.urgency - 1 if incident.is_vip_raised and incident.urgency > 1 else incident.urgency
    return {
        "matrix": str(judge),
        "impact": judge.impacts[incident.impact - 1],
        "urgency": judge.urgencies[incident.urgency - 1],
        "urgency_in_force": raised,
        "is_vip_raised": incident.is_vip_raised,
        "derived": judge.matrix.priority(incident.impact, raised),
        "override": incident.priority_override,
        "override_reason": incident.priority_override_reason,
    }


@dataclasses.dataclass(frozen=True, slots=True)
class WhyTeam:
    """What gave an incident to its team: `by` is rule, service, triage, named or the cause of an assignment."""

    team: str
    by: str
    event: Event
    rule: str = ""
    rule_version: int = 0


def why_this_team(incident: Incident) -> WhyTeam | None:
    """The event that put the incident into its present queue, as it was recorded then; None while it is in none."""
    if incident.team_id is None:
        return None
    told = Event.objects.filter(
        about_type=Incident._meta.label_lower, about_id=incident.pk, data__team=incident.team_id
    )
    arrived = told.filter(kind__in=[str(IncidentEvent.OPENED), str(IncidentEvent.ASSIGNED)]).order_by("-id").first()
    if arrived is None:
        return None
    routed = arrived.data.get("routed") or {"by": arrived.data.get("cause", "named")}
    team = Team.objects.get(pk=incident.team_id)
    return WhyTeam(str(team), routed["by"], arrived, routed.get("name", ""), routed.get("version", 0))


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    """One incident of a dry run: where it is or the rules in force would send it, and where the tried rules would."""

    incident: Incident
    team: str
    before: str
    would_be: str
    by: str
    rule: str

    @property
    def moves(self) -> bool:
        return self.before != self.would_be


#: A dry run looks at no more incidents than this.
LONGEST_DRY_RUN = 1000


def rules_with(draft: RoutingRule | None = None, *, replacing: RoutingRule | None = None) -> list[routing.Rule]:
    """The rules in force in their order, with a draft that is not saved put among them."""
    rows = list(RoutingRule.objects.filter(is_active=True, team__is_active=True))
    if replacing is not None:
        rows = [one for one in rows if one.pk != replacing.pk]
    if draft is not None and draft.is_active:
        rows.append(draft)
    return [one.rule() for one in sorted(rows, key=lambda one: one.position)]


@dataclasses.dataclass(frozen=True, slots=True)
class _World:
    """What routing reads beside the incident, each in one query."""

    above: Mapping[int, int | None]
    sites: Mapping[int, int | None]
    teams: Mapping[int, Team]
    triage: int | None

    def route(self, incident: Incident, rules: Sequence[routing.Rule]) -> tuple[str, str, str]:
        """The team's name, by what, and the rule's name, if the incident came in now."""
        facts = routing.Facts(
            kind=str(incident.kind),
            channel=str(incident.channel),
            source=incident.source_label,
            categories=_path(incident.category_id, self.above),
            service=incident.service_id,
            site=self.sites.get(incident.requester_id or 0),
            organisation=incident.organisation_id,
        )
        found = routing.first_match(rules, facts).rule
        if found is not None:
            return str(self.teams[found.team]), "rule", found.name
        owner = incident.service.owner_team_id if incident.service is not None else None
        team_id, by = (owner, "service") if owner is not None else (self.triage, "triage")
        return str(self.teams[team_id]) if team_id is not None else "", by, ""


def try_rules(
    rules: Sequence[routing.Rule], actor: Actor, last: int, *, instead_of: Sequence[routing.Rule] | None = None
) -> list[Tried]:
    """What the rules would have done with the newest incidents that the actor may see; changes nothing.

    `instead_of` are the rules to compare with; without them each is compared with the team that has it. Drills and
    imports are left out. Each is taken as it is now: a category that was corrected since counts corrected.
    """
    seen = Incident.objects.visible_to(actor).filter(is_drill=False, is_imported=False).order_by("-number")
    rows = list(seen.select_related("team", "service")[: min(last, LONGEST_DRY_RUN)])
    people = User.objects.get_queryset().filter(pk__in={one.requester_id for one in rows})
    teams = {one.pk: one for one in Team.objects.all()}
    triage = next((pk for pk, one in sorted(teams.items()) if one.is_triage and one.is_active), None)
    world = _World(
        above=dict(Category.objects.values_list("pk", "parent_id")), sites=dict(people.values_list("pk", "site")),
        teams=teams, triage=triage,
    )  # fmt: skip
    tried = []
    for one in rows:
        team = str(one.team or "")
        before = team if instead_of is None else world.route(one, instead_of)[0]
        would_be, by, rule = world.route(one, rules)
        tried.append(Tried(one, team, before, would_be, by, rule))
    return tried


def _path(category: int | None, above: Mapping[int, int | None]) -> tuple[int, ...]:
    path: list[int] = []
    while category is not None and category not in path:
        path.append(category)
        category = above.get(category)
    return tuple(path)


def closing_fields(kind: str) -> frozenset[str]:
    """What a person has to say before an incident of this kind is closed."""
    rules = kept("incidents.closing_rules", lambda: fetch(ClosingRule, ""))
    found = next((rule.required for rule in rules if rule.kind == kind), [ClosingField.CONFIRMATION.value])
    return frozenset(str(one) for one in found)


def missing_for_closing(incident: Incident, confirmation: str) -> list[str]:
    """What the rule of the incident's kind asks for and nobody said, in the order in which forms ask it."""
    said = {
        ClosingField.CAUSE: incident.cause_code,
        ClosingField.CLOSING_CATEGORY: incident.closing_category_id,
        ClosingField.CONFIRMATION: confirmation,
        ClosingField.NOTES: incident.resolution_notes,
        ClosingField.ARTICLE: incident.article_ref or incident.no_article_reason,
    }
    required = closing_fields(incident.kind)
    return [field.value for field, value in said.items() if field.value in required and not value]


def follow_up_days() -> list[int]:
    """The working days of the reminders, and last the one on which the wait ends; empty where it never does."""
    end = settings.SERVICEDESK_NO_ANSWER_DAYS
    return [*sorted(day for day in set(settings.SERVICEDESK_REMINDER_DAYS) if 0 < day < end), end] if end > 0 else []
