"""What a responder's link does: each verb at most once, the same answer to a repeated tap, no login."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

import incidents.actions
from audit.actions import ActionRefused, Forbidden, Invalid, action, record
from audit.actor import Actor
from incidents.models import ResolutionCode
from notify.models import Contact
from oncall import queries
from oncall.actions.answering import PageEnded, acknowledge_page, extend, pass_on
from oncall.actions.firing import issue_link, send_to
from oncall.actions.holding import locked
from oncall.events import PageEvent
from oncall.models import LinkUse, Page, PageState, ResponderLink, Verb


class LinkInvalid(ActionRefused):
    """The link is unknown, too old, or of somebody who left."""

    status = 404
    code = "link_invalid"


@action
def use_link(*, token: str, verb: str, by: Actor, at: datetime, note: str = "") -> dict[str, Any]:
    """Does what the person of the link tapped; the same verb again gives the recorded answer and changes nothing.

    `by` has to be the link's own person. Refused: an unknown link or verb, an expired link (except to renew it), and
    what the page's own actions refuse; a refusal is not recorded, because the page may run again later.
    """
    link = queries.link_of(token)
    if link is None or by.user_id != link.user_id:
        raise LinkInvalid(_("this link is not valid"), remedy=_("use the newest one, or sign in"))
    if verb not in Verb.values:
        raise Invalid(f"{verb!r} is nothing that a link does", field="verb", remedy=", ".join(Verb.values))
    # The page's lock lets a double tap wait for the first one, and then find its answer.
    page = locked(link.page_id)
    used = LinkUse.objects.filter(link=link, verb=verb).first()
    if used is not None:
        answer: dict[str, Any] = used.answer
        return answer
    if link.expires_at <= at and verb != Verb.RENEW:
        raise LinkInvalid(_("this link is too old"), remedy=_("ask for a new one with the button"), expired=True)
    answer = _ACTS[Verb(verb)](link, page, by, at, note.strip()[:2000])
    LinkUse.objects.create(link=link, verb=verb, answer=answer, at=at)
    return answer


def _acknowledge(link: ResponderLink, page: Page, by: Actor, at: datetime, note: str) -> dict[str, Any]:
    page = acknowledge_page(page_id=page.pk, by=by, at=at)
    _write_down(page, note, by, at)
    return {
        "done": "acknowledged",
        "since": _iso(page.acknowledged_at),
        "until": _iso(page.escalate_at),
    }


def _pass_on(link: ResponderLink, page: Page, by: Actor, at: datetime, note: str) -> dict[str, Any]:
    _write_down(page, note, by, at)
    people = [str(user) for user in queries.next_people(page, at)]
    before = (page.round, page.level)
    page = pass_on(page_id=page.pk, level=link.level, by=by, at=at)
    if (page.round, page.level) == before:
        return {"done": "gone_on", "to": []}
    return {"done": "passed_on", "to": people}


def _resolve(link: ResponderLink, page: Page, by: Actor, at: datetime, note: str) -> dict[str, Any]:
    if not page.incident.is_open:
        raise PageEnded(_("it is resolved already"), remedy=_("nothing is left to do"))
    incidents.actions.resolve(
        incident=page.incident, code=ResolutionCode.FIXED, notes=note or _("Fixed, said by the page's link."),
        by=by, at=at,
    )  # fmt: skip
    return {"done": "resolved", "at": at.isoformat()}


def _extend(link: ResponderLink, page: Page, by: Actor, at: datetime, note: str) -> dict[str, Any]:
    page = extend(page_id=page.pk, by=by, at=at)
    return {"done": "extended", "until": _iso(page.escalate_at)}


def _renew(link: ResponderLink, page: Page, by: Actor, at: datetime, note: str) -> dict[str, Any]:
    """A new link goes to the person's verified contacts, never to whoever asks; once for each old link."""
    if page.state == PageState.RESOLVED:
        raise PageEnded(_("the incident is over"), remedy=_("nothing is left to do"))
    ways = list(Contact.objects.usable().filter(user=link.user_id))
    if not ways:
        raise Forbidden(_("no verified contact of yours is left"), remedy=_("sign in instead"))
    fresh = issue_link(page, link.user, at)
    for way in ways:
        key = f"{page.topic}:renew:{link.pk}"
        send_to(page, link.user, way, fresh, by, at, key=key, remember=False)
    record(PageEvent.LINK_RENEWED, page, by, at, about=page.incident, user=link.user_id, level=link.level)
    return {"done": "renewed", "ways": len(ways)}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _write_down(page: Page, note: str, by: Actor, at: datetime) -> None:
    if note:
        incidents.actions.comment(incident=page.incident, body=note, is_public=False, by=by, at=at)


_ACTS = {
    Verb.ACKNOWLEDGE: _acknowledge,
    Verb.PASS_ON: _pass_on,
    Verb.RESOLVE: _resolve,
    Verb.EXTEND: _extend,
    Verb.RENEW: _renew,
}
