"""What paging and the rotas tell upwards."""

from __future__ import annotations

from enum import StrEnum

from audit.events import Kind


class PageEvent(StrEnum):
    STARTED = "page.started"
    JOINED = "page.joined"
    NOTIFIED = "page.notified"
    UNREACHABLE = "page.unreachable"
    ESCALATED = "page.escalated"
    CONTACT_FAILED = "page.contact_failed"
    ACKNOWLEDGED = "page.acknowledged"
    EXTENDED = "page.extended"
    TIMED_OUT = "page.timed_out"
    PASSED_ON = "page.passed_on"
    EXHAUSTED = "page.exhausted"
    STOPPED = "page.stopped"
    LINK_RENEWED = "page.link_renewed"


KINDS: dict[str, Kind] = {
    PageEvent.STARTED: Kind("A page began to run for an incident.", ("policy", "cause", "drill")),
    PageEvent.JOINED: Kind("A further cause met a page that was running already.", ("policy", "cause")),
    PageEvent.NOTIFIED: Kind(
        "A level of a round was notified; level 0 is the fallback.", ("round", "level", "users", "names", "messages")
    ),
    PageEvent.UNREACHABLE: Kind("Nobody of a level can be reached; the fallback is told.", ("round", "level")),
    PageEvent.ESCALATED: Kind(
        "Nobody confirmed in time, or nobody could be reached: the page went on.", ("round", "level", "cause")
    ),
    PageEvent.CONTACT_FAILED: Kind(
        "A contact could not be reached; the next contact or level is tried at once.", ("level", "user", "next")
    ),
    PageEvent.ACKNOWLEDGED: Kind("A named person has it; nothing more of it goes out.", ("user", "level", "until")),
    PageEvent.EXTENDED: Kind("The holder asked for more time.", ("user", "until")),
    PageEvent.TIMED_OUT: Kind("The holder's time ran out, so the page runs again.", ("user", "round")),
    PageEvent.PASSED_ON: Kind("Somebody passed the page on.", ("user", "level")),
    PageEvent.EXHAUSTED: Kind(
        "Every round went unanswered or reached nobody; fallback and admins are told.",
        ("rounds", "fallback", "unreached", "reached"),
    ),
    PageEvent.STOPPED: Kind("The page ended, because its incident did.", ("cause",)),
    PageEvent.LINK_RENEWED: Kind("A new link was sent to the person of an expired one.", ("user", "level")),
}
