"""What is written to the number of a merged incident lands in the one that it became part of."""

from __future__ import annotations

from datetime import datetime

from audit.actions import ActionRefused, Forbidden, action, record
from audit.actor import Actor
from audit.context import current_entry
from incidents import permissions, queries
from incidents.actions.frame import locked, saved
from incidents.actions.telling import tell_comment
from incidents.events import IncidentEvent
from incidents.models import Comment, Incident, Nature, Participant, State


class MergedMeanwhile(ActionRefused):
    """The incident became part of another one between reading and writing."""

    code = "merged_meanwhile"
    usual_remedy = "send it again: it will land in the one that it became part of"


@action
def comment_by_old_number(
    *,
    incident: Incident,
    by: Actor,
    at: datetime,
    body: str,
    is_public: bool = False,
    nature: str = Nature.PERSON.value,
) -> Comment:
    """Writes what was addressed to a merged incident on the one that lives on. Records `incident.commented` there.

    With another requester it stays between the desk and them: the target's requester reads and gets nothing of it; on
    what waits or is resolved it is flagged (`incident.replied`), whoever's hold that is.
    Refused: who may comment on neither. Only the target is locked: the source does not change while it is merged.
    """
    target = locked(queries.heir_of(incident))
    if target.merged_into_id is not None:
        raise MergedMeanwhile(f"{target.reference} was merged meanwhile")
    is_own = permissions.is_own(by, incident) and by.user_id not in (incident.assignee_id, target.assignee_id)
    is_spoken = (is_public or is_own) and nature == Nature.PERSON
    _may_speak(by, (incident, target), is_public=is_public or is_own)
    is_apart = is_spoken and queries.has_own_audience(incident, target)
    kind = Comment.AuthorKind.AGENT if by.is_person else Comment.AuthorKind.SYSTEM
    written = Comment.objects.create(
        incident=target, addressed_to=incident if is_apart else None, author_id=by.user_id, author_label=by.label,
        author_kind=Comment.AuthorKind.REQUESTER if is_own else kind, is_public=is_spoken and not is_apart, body=body,
        nature=nature, channel=current_entry().channel, created_at=at,
    )  # fmt: skip
    is_flagged = is_own and is_spoken and target.state in (State.ON_HOLD, State.RESOLVED)
    if is_flagged:
        target.replied_at = target.replied_at or at
        saved(target)
    record(
        IncidentEvent.COMMENTED, target, by, at, comment=written.pk, is_public=written.is_public,
        author_kind=str(written.author_kind), is_first_response=False, nature=nature, is_apart=is_apart,
    )  # fmt: skip
    if is_flagged:
        record(IncidentEvent.REPLIED, target, by, at, comment=written.pk, state=str(target.state))
    if is_spoken:
        tell_comment(incident if is_apart and not is_own else target, written, by, at)
    return written


def _may_speak(by: Actor, incidents: tuple[Incident, ...], *, is_public: bool) -> None:
    predicate = permissions.can_comment if is_public else permissions.can_note
    if any(predicate(by, one) for one in incidents):
        return
    followed = Participant.objects.filter(incident__in=incidents, user_id=by.user_id or 0)
    if followed.exists() and any(predicate(by, one, is_participant=True) for one in incidents):
        return
    raise Forbidden(
        f"{by.label} may not comment on {incidents[0].reference}", remedy="ask its team or an incident manager"
    )
