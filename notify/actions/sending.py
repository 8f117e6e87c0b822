"""What a sender does with a message: claim, begin, and record the outcome. Never mark before the call.

A claim is a lease. Whoever dies with it leaves a row whose lease runs out: if its call had begun, the outcome is
unknown, the message is shown as uncertain, and it is repeated under the same dedup key.
"""

from __future__ import annotations

import dataclasses
import secrets
from datetime import datetime, timedelta

from django.db import connection

from audit.actions import action, record
from audit.actor import Actor
from notify.actions.outbox import _cancel, _end, _facts
from notify.events import MessageEvent
from notify.models import Message, State
from notify.queries import about_of

#: Longer than any call may take (see notify.client), so that a living sender keeps its claim.
LEASE = timedelta(seconds=60)
#: At most this many calls of one channel at a time: a provider that hangs must not occupy every worker.
CALLS_AT_ONCE = 8

_CLAIM = """
with due as materialized (
    select id from notify_message
    where next_attempt_at <= %(at)s and lease_until is null
      and channel not in (
          select channel from notify_message where lease_until > %(at)s group by channel having count(*) >= %(calls)s
      )
    order by is_urgent desc, case when is_urgent then -id else id end
    limit %(limit)s
    for update skip locked
)
update notify_message set lease_until = %(until)s, lease_token = %(token)s
from due where notify_message.id = due.id
returning notify_message.id, notify_message.is_urgent
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a message is tried; a page gives up early, because then the next contact is tried."""

    attempts: int
    first_s: int
    longest_s: int

    def delay(self, attempts: int) -> timedelta:
        return timedelta(seconds=min(self.longest_s, self.first_s * 2 ** min(attempts - 1, 20)))


URGENT = Patience(attempts=4, first_s=2, longest_s=30)
ORDINARY = Patience(attempts=8, first_s=15, longest_s=3600)


def _patience(message: Message) -> Patience:
    return URGENT if message.is_urgent else ORDINARY


@action
def claim(*, limit: int, by: Actor, at: datetime) -> tuple[str, list[int]]:
    """Claims due messages by one UPDATE; returns the lease's token and the ids, in the order to send."""
    token = secrets.token_hex(16)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"at": at, "until": at + LEASE, "token": token, "limit": limit, "calls": CALLS_AT_ONCE})
        rows = cursor.fetchall()
    rows.sort(key=lambda row: (not row[1], -row[0] if row[1] else row[0]))
    return token, [row[0] for row in rows]


@action
def begin(*, message_id: int, token: str, by: Actor, at: datetime) -> Message | None:
    """Reads the message again under its lock, right before the call; None when it is not to be sent any more.

    Counts the attempt and renews the lease. A message past its time is cancelled (`message.cancelled`).
    """
    message = Message.objects.select_for_update().filter(pk=message_id, lease_token=token, lease_until__gt=at).first()
    if message is None:
        return None
    if message.expires_at is not None and message.expires_at <= at:
        _give_up_quietly(message, "it expired before it could be sent", by, at)
        return None
    message.called_at = at
    message.lease_until = at + LEASE
    message.attempts += 1
    message.save(update_fields=["called_at", "lease_until", "attempts"])
    return message


def _give_up_quietly(message: Message, reason: str, by: Actor, at: datetime) -> None:
    """Ends a message that is not needed any more: cancelled, or still uncertain when a call may have come through."""
    if message.state == State.QUEUED:
        _cancel(message, reason, by, at)
    else:
        _end(message, at, reason)
        message.save()


def _leased(message_id: int, token: str, *, lock_about: bool) -> Message | None:
    """The message under its lock while the claim holds; what it is about is locked first, in the order of actions."""
    if lock_about and (known := Message.objects.filter(pk=message_id, lease_token=token).first()):
        about_of(known, lock=True)
    return Message.objects.select_for_update().filter(pk=message_id, lease_token=token).first()


@action
def mark_sent(*, message_id: int, token: str, by: Actor, at: datetime, provider_ref: str = "") -> Message | None:
    """Records that the provider accepted; None when the claim was lost meanwhile. Records `message.sent`."""
    message = _leased(message_id, token, lock_about=False)
    if message is None:
        return None
    message.accept()
    _end(message, at)
    message.sent_at, message.provider_ref, message.last_error = at, provider_ref[:200], ""
    message.save()
    record(
        MessageEvent.SENT, message, by, at, about=about_of(message),
        attempts=message.attempts, uncertain=message.uncertain_count, **_facts(message),
    )  # fmt: skip
    return message


@action
def mark_failed(
    *,
    message_id: int,
    token: str,
    error: str,
    by: Actor,
    at: datetime,
    permanent: bool = False,
    retry_after: float | None = None,
) -> Message | None:
    """Records a failed call: tried again later, or given up, which records `message.failed`.

    `retry_after` is obeyed; where it is longer than the message's patience, the message is given up at once, so that
    the next contact is tried. None when the claim was lost meanwhile.
    """
    message = _leased(message_id, token, lock_about=True)
    if message is None:
        return None
    patience = _patience(message)
    delay = max(patience.delay(message.attempts), timedelta(seconds=retry_after or 0))
    if message.expires_at is not None and message.expires_at <= at:
        _give_up_quietly(message, error, by, at)
    elif permanent or message.attempts >= patience.attempts or delay.total_seconds() > patience.longest_s:
        _fail(message, error, by, at)
    else:
        _try_again(message, error, at + delay)
    return message


def _try_again(message: Message, error: str, when: datetime) -> None:
    message.next_attempt_at = when
    message.lease_until, message.lease_token, message.called_at = None, "", None
    message.last_error = error[:2000]
    message.save()


def _fail(message: Message, error: str, by: Actor, at: datetime) -> None:
    message.fail()
    _end(message, at, error)
    message.save()
    record(
        MessageEvent.FAILED, message, by, at, about=about_of(message),
        attempts=message.attempts, error=error[:500], **_facts(message),
    )  # fmt: skip


@action
def mark_uncertain(*, message_id: int, token: str, error: str, by: Actor, at: datetime) -> Message | None:
    """Records that nobody knows whether the provider accepted; repeated under the same key while patience lasts.

    Records `message.uncertain`. None when the claim was lost meanwhile.
    """
    message = _leased(message_id, token, lock_about=True)
    if message is None:
        return None
    patience = _patience(message)
    when = at + patience.delay(message.attempts)
    again = message.attempts < patience.attempts and (message.expires_at is None or message.expires_at > when)
    message.doubt()
    message.uncertain_count += 1
    if again:
        _try_again(message, error, when)
    else:
        _end(message, at, error)
        message.save()
    record(
        MessageEvent.UNCERTAIN, message, by, at, about=about_of(message),
        attempts=message.attempts, error=error[:500], again=again, **_facts(message),
    )  # fmt: skip
    return message


@action
def release_abandoned(*, message_id: int, token: str, by: Actor, at: datetime) -> None:
    """Takes back a claim whose sender disappeared; a call that had begun becomes uncertain (`message.uncertain`)."""
    claimed = Message.objects.abandoned(at).filter(pk=message_id, lease_token=token)
    if not claimed.filter(called_at=None).update(lease_until=None, lease_token="") and claimed.exists():  # nosec B106: no password
        mark_uncertain(message_id=message_id, token=token, error="the sender disappeared in the call", by=by, at=at)


@action
def mark_delivered(*, message_id: int, by: Actor, at: datetime) -> Message:
    """Records a provider's confirmation that a message arrived (`message.delivered`); repeats change nothing."""
    message = Message.objects.select_for_update().get(pk=message_id)
    if message.state == State.SENT:
        message.deliver()
        message.save()
        record(MessageEvent.DELIVERED, message, by, at, about=about_of(message), **_facts(message))
    return message


@action
def mark_bounced(*, message_id: int, error: str, by: Actor, at: datetime) -> Message:
    """Records that a mail that was sent came back. Records `message.bounced`; a repeat changes nothing."""
    known = Message.objects.get(pk=message_id)
    about_of(known, lock=True)
    message = Message.objects.select_for_update().get(pk=message_id)
    if message.state not in (State.SENT, State.DELIVERED, State.UNCERTAIN):
        return message
    message.bounce()
    _end(message, at, error)
    message.save()
    record(MessageEvent.BOUNCED, message, by, at, about=about_of(message), error=error[:500], **_facts(message))
    return message
