"""A requester without account or script: reports, confirms, follows, replies, reopens, rates (goal G18)."""

from __future__ import annotations

import re
from typing import Any

import pytest

import incidents.actions
from audit.actor import SYSTEM
from incidents.models import Incident
from metrics.models import Rating
from notify.models import Message

pytestmark = pytest.mark.browser


def confirmation() -> str:
    mail = Message.objects.filter(subject__contains="confirm your report").latest("id")
    found = re.search(r"/help/c/[^/]+/", mail.link)
    assert found
    return found[0]


def test_somebody_unknown_reports_follows_reopens_and_rates(visit: Any, settings: Any) -> None:
    from django.utils import timezone

    settings.SERVICEDESK_OPEN_PORTAL = True
    one = visit(width=390)
    one.go("/help/new/")
    one.page.fill("#id_title", "The scanner eats paper")
    one.page.fill("#id_email", "new@demo.example")
    one.page.click("main button")
    assert "Look into your mail" in one.text()
    one.go(confirmation())
    one.page.click("main button")
    assert "We have it" in one.text()
    case = Incident.objects.get(title="The scanner eats paper")
    one.page.fill("#body", "It is the one on floor 3.")
    one.page.click("button:has-text('Send to the service desk')")
    assert "Your message is with us" in one.text()
    incidents.actions.resolve(incident=case, code="fixed", by=SYSTEM, at=timezone.now())
    one.page.reload()
    one.page.fill("#note", "It ate another one.")
    one.page.click("button:has-text('It is still broken')")
    assert "We work on it again" in one.text()
    incidents.actions.resolve(incident=case, code="fixed", by=SYSTEM, at=timezone.now())
    one.page.reload()
    one.page.click("button:has-text('It works')")
    one.page.check("input[name=score][value='5']")
    one.page.click(".rate button")
    assert "You gave 5 of 5" in one.text()
    assert (Incident.objects.get(pk=case.pk).state, Rating.objects.get().score) == ("closed", 5)
    assert one.complaints == []
