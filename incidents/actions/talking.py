"""What is said, who follows, and that the damage no longer grows."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from accounts.models import User
from audit.actions import Forbidden, Invalid, action, record
from audit.actor import Actor
from audit.context import current_entry
from incidents import permissions, queries
from incidents.actions.ending import take_up_again
from incidents.actions.frame import (
    IllegalTransition,
    active_user,
    choice,
    locked,
    require,
    saved,
    settled,
    stay_awake,
    text,
)
from incidents.actions.heirs import MergedMeanwhile, comment_by_old_number
from incidents.actions.holding import end_hold
from incidents.actions.telling import tell_comment
from incidents.events import IncidentEvent
from incidents.models import (
    Channel,
    Comment,
    HoldReason,
    Incident,
    Nature,
    Participant,
    ParticipantRole,
    ResolutionCode,
    State,
)
from incidents.queries import has_own_audience, heir_of

#: More than any desk serves; the column holds it.
MOST_AFFECTED = 2_000_000_000


@action
def comment(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    body: str,
    is_public: bool | None = None,
    nature: str = Nature.PERSON.value,
    expected_version: int | None = None,
) -> Comment:
    """Writes on the incident; a public word of the desk reaches the requester by mail. Records `incident.commented`.

    The first public word of a person of the desk is the first response (alerts: the acknowledgement is). A requester's
    answer resumes what waits for it, and reopens what was resolved for want of it; on any other hold or resolution it
    is flagged (`incident.replied`). Automatic replies and bounces (`nature`) are kept as internal notes and do nothing.
    Left out, `is_public` is what the author may do: a requester speaks in public, the desk among itself. Refused: an
    empty text, an internal note by a requester, who may not comment.
    """
    choice("nature", nature, Nature)
    body = text("body", body, required=True)
    if incident.merged_into_id is not None:
        _speaks_as(by, incident, is_public=is_public)
        heir = heir_of(incident)
        if has_own_audience(incident, heir) or not permissions.can_comment(by, heir):
            return comment_by_old_number(
                incident=incident, by=by, at=at, body=body, is_public=bool(is_public), nature=nature
            )
        return comment(incident=heir, by=by, at=at, body=body, is_public=is_public, nature=nature)
    incident = locked(incident, expected_version)
    if incident.merged_into_id is not None:
        raise MergedMeanwhile(f"{incident.reference} was merged meanwhile")
    author_kind = _speaks_as(by, incident, is_public=is_public)
    is_public = author_kind == Comment.AuthorKind.REQUESTER or bool(is_public)
    _may_speak(by, incident, is_public=is_public)
    is_public = is_public and nature == Nature.PERSON
    written = Comment.objects.create(
        incident=incident, author_id=by.user_id, author_label=by.label, author_kind=author_kind, is_public=is_public,
        nature=nature, body=body, channel=current_entry().channel, created_at=at,
    )  # fmt: skip
    is_first = _is_first_response(incident, written)
    if is_first:
        incident.first_response_at = at
    is_reply = nature == Nature.PERSON and author_kind == Comment.AuthorKind.REQUESTER
    if is_reply:
        _flag(incident, at)
    elif is_public and author_kind == Comment.AuthorKind.AGENT:
        incident.replied_at = None
    if incident.changed_fields():
        saved(incident)
    record(
        IncidentEvent.COMMENTED, incident, by, at, comment=written.pk, is_public=is_public,
        author_kind=str(author_kind), is_first_response=is_first, nature=nature,
        is_apart=False,
    )  # fmt: skip
    if is_public:
        tell_comment(incident, written, by, at)
    if is_reply:
        _answered(incident, written, by, at)
    return written


def _speaks_as(by: Actor, incident: Incident, *, is_public: bool | None) -> Comment.AuthorKind:
    """In which capacity: who reported it speaks as requester, unless working on it or noting among colleagues."""
    if permissions.is_own(by, incident) and incident.assignee_id != by.user_id:
        if is_public is not False:
            return Comment.AuthorKind.REQUESTER
        if not queries.is_staff_for(by, incident):
            raise Invalid(
                _("what a requester writes is read by the desk and by the requester"), field="is_public",
                remedy=_("leave is_public out, or send true"),
            )  # fmt: skip
    return Comment.AuthorKind.AGENT if by.is_person else Comment.AuthorKind.SYSTEM


def _may_speak(by: Actor, incident: Incident, *, is_public: bool) -> None:
    predicate = permissions.can_comment if is_public else permissions.can_note
    if predicate(by, incident):
        return
    roles = Participant.objects.filter(incident_id=incident.pk, user_id=by.user_id or 0)
    if predicate(by, incident, is_participant=True) and roles.exists():
        return
    raise Forbidden(f"{by.label} may not comment on {incident.reference}", remedy="ask its team or an incident manager")


def _is_first_response(incident: Incident, written: Comment) -> bool:
    return (
        incident.first_response_at is None
        and written.is_public
        and written.author_kind == Comment.AuthorKind.AGENT
        and incident.channel != Channel.ALERT
    )


def _resumes(incident: Incident) -> bool:
    return bool(incident.state == State.ON_HOLD and incident.hold_reason == HoldReason.REQUESTER)


def _reopens(incident: Incident) -> bool:
    return bool(incident.state == State.RESOLVED and incident.resolution_code == ResolutionCode.NO_ANSWER)


def _flag(incident: Incident, at: datetime) -> None:
    """What nobody works on now, but for what the reply itself sets going again: somebody has to look at it."""
    if incident.state in (State.ON_HOLD, State.RESOLVED) and not _resumes(incident) and not _reopens(incident):
        incident.replied_at = incident.replied_at or at


def _answered(incident: Incident, written: Comment, by: Actor, at: datetime) -> None:
    """The requester's word ends a hold that waits for it, and takes back a resolution for want of it."""
    if _resumes(incident):
        end_hold(incident, by, at, cause="requester")
    elif _reopens(incident):
        take_up_again(incident, by, at, reason="the requester answered")
    elif incident.replied_at is not None:
        record(IncidentEvent.REPLIED, incident, by, at, comment=written.pk, state=str(incident.state))


@action
def settle_reply(*, incident: Incident, by: Actor, at: datetime, expected_version: int | None = None) -> Incident:
    """Somebody read what the requester wrote, and it needs no answer: a "thanks". Records `incident.reply_settled`.

    Without an open message it changes nothing. Refused to who may neither work on it nor close it.
    """
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "settle the reply of")
    if incident.replied_at is None:
        return incident
    incident.replied_at = None
    saved(incident)
    record(IncidentEvent.REPLY_SETTLED, incident, by, at)
    return settled(incident)


@action
def contain(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    note: str,
    users: int | None = None,
    sites: int | None = None,
    services: int | None = None,
    expected_version: int | None = None,
) -> Incident:
    """The damage no longer grows; the first time counts, the blast radius may be told again.

    `users`, `sites` and `services` are how many it reached; None leaves what is known. Records `incident.contained`.
    Refused unless open.
    """
    note = text("note", note, required=True, longest=2000)
    radius = {"users": users, "sites": sites, "services": services}
    for field, value in radius.items():
        if value is not None and (isinstance(value, bool) or not 0 <= value <= MOST_AFFECTED):
            raise Invalid(f"{value!r} is no number of {field}", field=field, remedy=f"0 to {MOST_AFFECTED}")
    incident = locked(incident, expected_version)
    require(permissions.can_work, by, incident, "contain")
    if not incident.is_open:
        raise IllegalTransition(
            f"{incident.reference} is {State(incident.state).label}", field="state", remedy="reopen it first"
        )
    if incident.contained_at is None:
        incident.contained_at = at
        stay_awake(incident, at)
    for field, value in radius.items():
        if value is not None:
            setattr(incident, f"affected_{field}", value)
    if incident.changed_fields():
        saved(incident)
    record(IncidentEvent.CONTAINED, incident, by, at, note=note, users=users, sites=sites, services=services)
    return settled(incident)


@action
def add_participant(
    *, incident: Incident, by: Actor, at: datetime, user: User, role: str = ParticipantRole.WATCHER.value
) -> Participant:
    """Lets a person follow the incident, as watcher or because they were paged. Once per person and role.

    Records `incident.participant_added` for watchers; a page tells of its people itself. Refused: a deactivated person,
    `paged` by anybody but the system, and adding others to what one may not comment on.
    """
    choice("role", role, ParticipantRole)
    known = Participant.objects.filter(incident_id=incident.pk, user_id=user.pk, role=role).first()
    if known is not None:
        return known
    if role == ParticipantRole.PAGED and not permissions.is_machinery(by):
        raise Forbidden("only the system pages", field="role", remedy="add them as watcher, or start a page")
    if user.pk != by.user_id or not permissions.can_see(by, incident):
        _may_speak(by, incident, is_public=True)
    active_user(user, "user")
    # Two at once: the second finds the row of the first.
    added, is_new = Participant.objects.get_or_create(
        incident_id=incident.pk, user=user, role=role, defaults={"added_at": at}
    )
    if is_new and role == ParticipantRole.WATCHER:
        record(IncidentEvent.PARTICIPANT_ADDED, incident, by, at, user=user.pk, role=role)
    return added


@action
def remove_watcher(*, incident: Incident, by: Actor, at: datetime, user: User) -> bool:
    """Ends watching, by the person or who may comment; False if nobody watched.

    Records `incident.participant_removed`.
    """
    if user.pk != by.user_id:
        _may_speak(by, incident, is_public=True)
    known = Participant.objects.filter(incident_id=incident.pk, user_id=user.pk, role=ParticipantRole.WATCHER).first()
    if known is None:
        return False
    known.delete()
    record(IncidentEvent.PARTICIPANT_REMOVED, incident, by, at, user=user.pk, role=str(ParticipantRole.WATCHER))
    return True
