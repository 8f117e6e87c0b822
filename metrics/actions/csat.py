"""Ratings: given once for each resolution, changeable for a while, a low one looked into."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

import notify.actions
from accounts.models import User
from accounts.queries import leads_above
from accounts.roles import Role
from audit.actions import ActionRefused, Forbidden, Invalid, action, assert_fresh, record
from audit.actor import Actor
from incidents.models import Incident, State
from metrics.events import RatingEvent
from metrics.models import HIGHEST, LOW_FROM, LOWEST, Rating
from metrics.permissions import can_rate, can_settle

#: A rating may be corrected for so long: a slip of the finger, not a change of mind after a talk.
CHANGEABLE = timedelta(hours=24)
LONGEST_COMMENT = 2000


class NotRatable(ActionRefused):
    """There is no resolution to rate."""

    code = "not_ratable"


class RatingFixed(ActionRefused):
    """It was rated before, and the time to correct it is over."""

    code = "rating_fixed"


@action
def rate(*, incident: Incident, score: int, by: Actor, at: datetime, comment: str = "") -> Rating:
    """The requester rates the present resolution, or corrects that within a day. Records `rating.given` or `.changed`.

    The same again changes nothing. A low score goes to the lead by mail and waits there to be settled. Refused: anybody
    but the requester, an incident that is neither resolved nor closed, imported or a drill, a score outside 1 to 5.
    """
    score, comment = _checked(score, comment)
    incident = Incident.objects.select_for_update(no_key=True).get(pk=incident.pk)
    if by.user_id is None or not can_rate(by, incident):
        raise Forbidden(f"{by.label} may not rate {incident.reference}", remedy="only who reported it may")
    if incident.state not in (State.RESOLVED, State.CLOSED) or incident.is_imported or incident.is_drill:
        raise NotRatable(f"{incident.reference} has no resolution to rate", remedy="rate it once it is resolved")
    cycle = incident.reopen_count + 1
    known = Rating.objects.filter(incident=incident, respondent_id=by.user_id, cycle=cycle).first()
    if known is not None:
        return _corrected(known, incident, score, comment, by, at)
    given = Rating(incident=incident, respondent_id=by.user_id, cycle=cycle, score=score, comment=comment, rated_at=at)
    given.save()
    record(RatingEvent.GIVEN, incident, by, at, rating=given.pk, score=score, cycle=cycle, is_low=given.is_low)
    if given.is_low:
        _tell_leads(given, incident, by, at)
    return given


def _checked(score: int, comment: str) -> tuple[int, str]:
    if isinstance(score, bool) or not isinstance(score, int) or not LOWEST <= score <= HIGHEST:
        raise Invalid(f"{score!r} is no score", field="score", remedy=f"a whole number from {LOWEST} to {HIGHEST}")
    if "\x00" in comment or len(comment) > LONGEST_COMMENT:
        raise Invalid(
            "the comment is too long or holds a NUL character", field="comment",
            remedy=f"at most {LONGEST_COMMENT} characters of text",
        )  # fmt: skip
    return score, comment.strip()


def _corrected(known: Rating, incident: Incident, score: int, comment: str, by: Actor, at: datetime) -> Rating:
    if (known.score, known.comment) == (score, comment):
        return known
    if at - known.rated_at > CHANGEABLE or known.settled_at is not None:
        raise RatingFixed(
            f"{incident.reference} was rated {known.score} before", field="score",
            remedy="write a comment instead: somebody reads it",
        )  # fmt: skip
    old, known.score, known.comment, known.changed_at = known.score, score, comment, at
    known.save()
    record(
        RatingEvent.CHANGED, incident, by, at, rating=known.pk, old=old, score=score, cycle=known.cycle,
        is_low=known.is_low,
    )  # fmt: skip
    if known.is_low and old > LOW_FROM:
        _tell_leads(known, incident, by, at)
    return known


@action
def settle_rating(*, rating: Rating, note: str, by: Actor, at: datetime, expected_version: int | None = None) -> Rating:
    """Says what came of a low rating, which ends the follow-up. Records `rating.settled`.

    Refused: a rating that is not low or was settled before, an empty note, who does not lead the incident's team.
    """
    note = note.strip()
    if not note or len(note) > LONGEST_COMMENT or "\x00" in note:
        raise Invalid(
            "nobody said what came of it", field="note", remedy=f"say it in at most {LONGEST_COMMENT} characters"
        )
    fresh = Rating.objects.select_for_update(of=("self",), no_key=True).select_related("incident").get(pk=rating.pk)
    assert_fresh(fresh, expected_version)
    if not can_settle(by, fresh.incident):
        raise Forbidden(f"{by.label} may not settle ratings of {fresh.incident}", remedy="ask the lead of its team")
    if not fresh.is_low or fresh.settled_at is not None:
        raise ActionRefused(f"there is nothing to settle about {fresh}", remedy="nothing is to be done")
    fresh.settled_at, fresh.settled_by_id, fresh.settlement = at, by.user_id, note
    fresh.save()
    record(
        RatingEvent.SETTLED, fresh.incident, by, at, reason=note, rating=fresh.pk, score=fresh.score, cycle=fresh.cycle
    )
    return fresh


def _tell_leads(rating: Rating, incident: Incident, by: Actor, at: datetime) -> None:
    """The nearest leads of its team, else the incident managers, so that it is nobody's never."""
    people = leads_above(incident.team_id) or list(
        User.objects.active().filter(groups__name=Role.INCIDENT_MANAGER).order_by("pk").distinct()
    )
    for user in people:
        with translation.override(user.locale):
            subject = _("%(reference)s was rated %(score)s of 5") % {
                "reference": incident.reference, "score": rating.score,
            }  # fmt: skip
            body = _low_text(rating, incident)
        notify.actions.enqueue_mail_to_user(
            user=user, subject=subject, body=body, dedup_key=f"rating:{rating.pk}:{rating.version}:{user.pk}",
            topic=f"rating:{rating.pk}", about=incident, by=by, at=at,
        )  # fmt: skip


def _low_text(rating: Rating, incident: Incident) -> str:
    lines = [
        _("%(title)s: the requester is not content (%(score)s of 5).")
        % {"title": incident.title, "score": rating.score},
        rating.comment,
        _("Have a talk, and then write down what came of it:"),
        f"{settings.SERVICEDESK_URL}/admin/metrics/rating/{rating.pk}/change/",
        f"{settings.SERVICEDESK_URL}/desk/{incident.reference}/",
    ]
    return "\n\n".join(line for line in lines if line) + "\n"
