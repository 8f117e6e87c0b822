"""Numbers by mail: who asks for them, and sending each once when it is due."""

from __future__ import annotations

from datetime import datetime, time

import notify.actions
from accounts.models import User
from audit.actions import Forbidden, Invalid, action, record
from audit.actor import Actor
from metrics.events import DigestEvent
from metrics.models import Digest
from metrics.permissions import can_see_numbers
from metrics.queries import digests

#: More than that nobody reads.
MOST = 8


@action
def ask_for_digest(*, kind: str, at_time: time, weekday: int = 0, by: Actor, at: datetime) -> Digest:
    """Sends a digest to the asking person from now on; refused to who may not see numbers, and past eight of them.

    Asking for the same again changes its weekday. Records `digest.asked_for`.
    """
    if by.user_id is None or not can_see_numbers(by):
        raise Forbidden(f"{by.label} may not see the numbers", remedy="ask a lead or a manager")
    if kind not in Digest.Kind.values or not 0 <= weekday <= 6:
        raise Invalid("there is no such digest", field="kind", remedy="shift or weekly, on a weekday from 0 to 6")
    user = User.objects.select_for_update(no_key=True).get(pk=by.user_id)
    mine = Digest.objects.filter(user=user)
    found = mine.filter(kind=kind, at_time=at_time).first()
    if found is None and mine.count() >= MOST:
        raise Invalid(f"{MOST} digests are enough", field="kind", remedy="give one up first")
    digest = found or Digest(user=user, kind=kind, at_time=at_time, since_at=at)
    digest.weekday = weekday
    digest.next_at = digests.next_at(kind, at_time, weekday, user.time_zone, at)
    digest.save()
    record(DigestEvent.ASKED_FOR, digest, by, at, digest_kind=kind, at_time=f"{at_time:%H:%M}", weekday=weekday)
    return digest


@action
def give_up_digest(*, digest: Digest, by: Actor, at: datetime) -> None:
    """Sends it no more; refused for somebody else's. Records `digest.given_up`."""
    if by.user_id is None or digest.user_id != by.user_id:
        raise Forbidden("this digest is somebody else's", remedy="ask that person")
    fresh = Digest.objects.select_for_update().get(pk=digest.pk)
    record(
        DigestEvent.GIVEN_UP, fresh, by, at, digest_kind=fresh.kind, at_time=f"{fresh.at_time:%H:%M}",
        weekday=fresh.weekday,
    )  # fmt: skip
    fresh.delete()


@action
def send_digest(*, digest_id: int, by: Actor, at: datetime) -> bool:
    """Puts a due digest into the outbox and sets when the next is due; False where another worker was first.

    After a standstill one mail covers the whole time. Sending records `message.sent`, so nothing is recorded here. Who
    may no longer see any numbers gets none.
    """
    digest = Digest.objects.select_for_update(skip_locked=True).filter(pk=digest_id, next_at__lte=at).first()
    if digest is None:
        return False
    made = digests.mail_of(digest, at)
    if made is not None:
        subject, body = made
        notify.actions.enqueue_mail_to_user(
            user=digest.user, subject=subject, body=body, topic=f"digest:{digest.pk}", about=digest.user,
            dedup_key=f"digest:{digest.pk}:{digest.next_at.isoformat()}", by=by, at=at,
        )  # fmt: skip
    digest.since_at = at
    digest.next_at = digests.next_at(digest.kind, digest.at_time, digest.weekday, digest.user.time_zone, at)
    digest.save()
    return made is not None
