"""How often one address, one link and one mailbox may ask; each page of the portal counts before it works."""

from __future__ import annotations

from django.http import HttpRequest

from audit.defaults import address_of, count

_MINUTE, _HOUR = 60, 3600
#: What -> (how often, in which window of seconds). Behind one address may sit a whole office.
LIMITS = {
    "look": (300, _MINUTE),
    "act": (60, _MINUTE),
    "act-by-link": (20, _MINUTE),
    "report": (60, _HOUR),
    "mail": (30, _HOUR),
    "mail-to": (5, _HOUR),
    "mail-all": (2000, _HOUR),
}


def is_too_often(request: HttpRequest, what: str, who: str = "") -> bool:
    """Counts one more by who is given, else by the address that the request came from."""
    most, window = LIMITS[what]
    return count(f"help-{what}", who or address_of(request), window) > most


def may_mail(request: HttpRequest, address: str) -> bool:
    """Whether this request may cause one more mail to an address: by who asks, to whom, and altogether."""
    counted = [
        is_too_often(request, "mail"), is_too_often(request, "mail-to", address.strip().lower()),
        is_too_often(request, "mail-all", "everybody"),
    ]  # fmt: skip
    return not any(counted)
