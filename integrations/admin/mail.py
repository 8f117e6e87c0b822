"""What came in by mail in the admin: every message with its verdict, and what a person decides about it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from audit.admin import ReadOnlyAdmin, Transition
from integrations import actions
from integrations.models import InboundMail, MailSource, Verdict
from integrations.permissions import can_decide_mail

_OPEN = (Verdict.HELD.value, Verdict.BROKEN.value, Verdict.WAITING.value, Verdict.IGNORED.value)


def _judge(mail: Any, *, by: Any, at: Any, expected_version: int | None) -> None:
    actions.judge(mail=mail, by=by, at=at)


def _let_in(mail: Any, *, by: Any, at: Any, expected_version: int | None) -> None:
    actions.judge(mail=mail, by=by, at=at, let_in=True)


def _discard(mail: Any, *, by: Any, at: Any, expected_version: int | None) -> None:
    actions.discard(mail=mail, by=by, at=at)


def _may(actor: Any, mail: Any) -> bool:
    return can_decide_mail(actor) and mail.verdict in _OPEN


@admin.register(InboundMail)
class InboundMailAdmin(ReadOnlyAdmin):
    """Every message; the raw bytes are handed out on its page at the desk."""

    list_display = ("received_at", "sender", "subject", "verdict", "reason", "incident", "source")
    list_select_related = ("incident",)
    list_filter = ("verdict", "source")
    search_fields = ("=sender", "=message_id", "subject")
    transitions: ClassVar[dict[str, Transition]] = {
        "judge": Transition(label=_("Process again"), run=_judge, allowed=_may),
        "let-in": Transition(label=_("Let it in as a person's mail"), run=_let_in, allowed=_may),
        "discard": Transition(label=_("Put aside"), run=_discard, allowed=_may),
    }


@admin.register(MailSource)
class MailSourceAdmin(ReadOnlyAdmin):
    list_display = ("name", "ok_at", "failing_since_at", "error")
