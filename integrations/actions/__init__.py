"""Everything that is done with webhooks and with received mail."""

from integrations.actions.capturing import capture_events, capture_missed
from integrations.actions.configuring import (
    change_webhook,
    create_webhook,
    enable_webhook,
    pause_webhook,
    rotate_webhook_key,
)
from integrations.actions.mail import discard, judge, note_failure, note_source, receive
from integrations.actions.replaying import replay_delivery, replay_since, send_test
from integrations.actions.sending import begin_sending, claim_delivery, end_sending, note_outcome

__all__ = [
    "begin_sending",
    "capture_events",
    "capture_missed",
    "change_webhook",
    "claim_delivery",
    "create_webhook",
    "discard",
    "enable_webhook",
    "end_sending",
    "judge",
    "note_failure",
    "note_outcome",
    "note_source",
    "pause_webhook",
    "receive",
    "replay_delivery",
    "replay_since",
    "rotate_webhook_key",
    "send_test",
]
