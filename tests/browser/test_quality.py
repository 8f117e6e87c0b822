"""What holds for every page: nothing blocked by the content policy, usable by everybody, light."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents.models import Incident, links
from postmortems.models import PostMortem
from tests.browser.test_desk import link_of, paged

pytestmark = pytest.mark.browser

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
#: What one taps on and is smaller than 24 px (WCAG 2.5.8); boxes have their label as target, sentences are exempt.
SMALL = """() => [...document.querySelectorAll('button, .button, nav a, header a:not(.skip), summary, select, input')]
    .filter(one => !['hidden', 'radio', 'checkbox'].includes(one.type))
    .map(one => [one, one.getBoundingClientRect()])
    .filter(([one, box]) => box.width && box.height && (box.width < 24 || box.height < 24))
    .map(([one, box]) => `${location.pathname} ${one.outerHTML.slice(0, 90)} ${box.width} x ${box.height}`)"""
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.removeAttribute('name'); one.open = true })"
ADMIN = (
    "/admin/", "/admin/incidents/incident/", "/admin/incidents/incident/add/", "/admin/incidents/service/",
    "/admin/incidents/service/add/", "/admin/sla/slapolicy/", "/admin/accounts/user/", "/admin/oncall/schedule/",
    "/admin/audit/event/",
)  # fmt: skip


def own_pages() -> list[str]:
    """Every page of ours that an agent meets, with an incident in each state."""
    found = {one.state: one for one in Incident.objects.order_by("id")}
    incidents = [f"/desk/{one.reference}/" for one in {*found.values(), paged()}]
    postmortem = PostMortem.objects.latest("id")
    return [
        "/desk/?view=open", "/desk/?view=mine", "/desk/?q=card", "/desk/?q=nothing-like-it", "/desk/new/", "/mailbox/",
        "/mailbox/1/", "/postmortems/", f"/postmortems/{postmortem.pk}/", "/accounts/password/", "/nowhere/",
        link_of(paged()), "/r/unknown/", *incidents, "/reports/", "/reports/resolution/",
        "/reports/backlog/?priority=9", *requester_pages(),
    ]  # fmt: skip


def requester_pages() -> list[str]:
    """What somebody without an account meets: one of their incidents in each state, and the pages around it."""
    cases = {one.state: one for one in Incident.objects.filter(requester__isnull=False).select_related("requester")}
    now = timezone.now()
    found = [links.link_for(one.requester, one, now) + "?say=rate" for one in cases.values() if one.requester]
    old = next(one for one in cases.values() if one.requester)
    found += [links.link_for(old.requester, old, now - timedelta(days=99)), "/help/t/unknown/", "/help/new/"]
    found += [links.list_link_for(old.requester, now + timedelta(days=1))]
    return ["/help/" + one.split("/help/", 1)[1] for one in found]


def violations(page: Any) -> list[str]:
    """What axe finds, with all that folds opened; only what is found comes back, not what passed."""
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(OPEN_ALL)
    page.evaluate(Axe().axe_script)
    found = page.evaluate(
        "options => axe.run(options).then(({passes, violations}) => ({passed: passes.length, violations}))",
        {**RULES, "resultTypes": ["violations"]},
    )
    assert found["passed"] > 5
    return [f"{page.url} {one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]


def complaints(visit: Any) -> list[str]:
    """What the browser said, but for the pages that are meant not to be there, and for one that refuses a filter."""
    meant = ("status of 404", "status of 400 (Bad Request)")
    return [line for line in visit.complaints if not any(one in line for one in meant)]


def shortcomings(page: Any, width: int) -> list[str]:
    """What axe finds, a page wider than the screen, targets too small to tap, anything inline, any script."""
    found = violations(page)
    found += [f"{page.url} is wider than the screen"] if page.evaluate(WIDER) else []
    found += page.evaluate(SMALL) if width < 500 else []
    return found + [f"{page.url} has a script or an inline style"] * page.locator("script, [onclick], [style]").count()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_everybody_can_use_every_page(visit: Any, width: int, scheme: str) -> None:
    one = visit(width=width, scheme=scheme, script=True)
    one.go("/accounts/login/")
    wrong = shortcomings(one.page, width)
    one.sign_in("carmen")
    for path in own_pages():
        one.go(path)
        wrong += shortcomings(one.page, width)
    assert wrong + complaints(one) == []


def test_the_content_policy_blocks_nothing_in_the_admin_and_the_docs(visit: Any) -> None:
    """Our own pages are listened to where axe looks at them."""
    one = visit(script=True)
    one.sign_in("admin")
    for path in (*ADMIN, "/api/docs/"):
        one.go(path)
    one.page.wait_for_load_state("networkidle")
    assert complaints(one) == []


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/desk/?view=open", "/desk/new/", "incident", "responder", "/help/", "requester"]
)
def test_a_cold_page_is_light(visit: Any, path: str) -> None:
    """At most 40 KB and five requests, the page that acknowledges and the requester's 25 KB (goal G7)."""
    incident = paged()
    named = {"incident": f"/desk/{incident.reference}/", "responder": link_of(incident)}
    address = (named | {"requester": requester_pages()[0]}).get(path, path)
    one = visit(script=True)
    if path not in ("/accounts/login/", "responder", "/help/", "requester"):
        one.sign_in("carmen")
    cookies = one.page.context.cookies()
    cold = visit(script=True)
    cold.page.context.add_cookies(cookies)
    cold.go(address)
    cold.page.wait_for_load_state("networkidle")
    assert 2 <= len(cold.sizes) <= 5
    assert sum(cold.sizes.values()) <= (25_000 if path in ("responder", "/help/", "requester") else 40_000), cold.sizes
    assert all(size for size in cold.sizes.values())
