"""Nobody changes anything by looking: every route, as every role, leaves every row as it is; and none breaks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from accounts.roles import Role
from incidents.models import Incident
from notify.models import MailboxMail
from tests.accounts.factories import ApiKeyFactory, MembershipFactory, TeamFactory, UserFactory, bearer
from tests.architecture.tree import APPS
from tests.demonstration import signed_in

pytestmark = pytest.mark.usefixtures("demo_db")

#: Somebody of the demonstration for each role.
PEOPLE = {
    Role.REQUESTER: "maria", Role.AGENT: "ines", Role.LEAD: "ada", Role.RESPONDER: "olu",
    Role.INCIDENT_MANAGER: "carmen", Role.MANAGER: "paul", Role.ADMIN: "admin", Role.AUDITOR: "auditor",
}  # fmt: skip
#: Answers that a GET may give; 405 where only a POST means something.
CALM = {200, 301, 302, 304, 400, 401, 403, 404, 405, 503}
#: Takes two seconds and is the same for everybody: the stranger looks at it.
SCHEMA = "/api/schema/"
DIGEST = """
select count(*), coalesce(sum(hashtextextended(row.ctid::text || row.xmin::text, 0)::numeric), 0) from "{}" row
"""


def tables() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")
        return sorted(name for (name,) in cursor.fetchall())


def digest() -> dict[str, tuple[int, int]]:
    """Of every table: how many rows, and which version of each."""
    found = {}
    with connection.cursor() as cursor:
        for name in tables():
            cursor.execute(DIGEST.format(name))
            found[name] = cursor.fetchone()
    return found


def routes() -> Iterator[tuple[str, Any]]:
    """Every pattern of the URL map as one text, with its view."""

    def walk(patterns: list[Any], before: str) -> Iterator[tuple[str, Any]]:
        for one in patterns:
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, before + str(one.pattern))
            elif isinstance(one, URLPattern):
                yield before + str(one.pattern), one.callback

    return walk(get_resolver().url_patterns, "")


def _model_of(view: Any) -> Any:
    rows = getattr(getattr(view, "cls", None), "queryset", None)
    if rows is not None:
        return rows.model
    return getattr(getattr(view, "model_admin", None), "model", None)


def _mounted() -> dict[str, Any]:
    return {f"admin/{model._meta.app_label}/{model._meta.model_name}/": model for model in admin.site._registry}


def samples() -> dict[str, str]:
    """What stands for a parameter of a route: rows that exist, and one that does not."""
    incident = Incident.objects.order_by("-number")[0]
    mail = MailboxMail.objects.filter(body__contains="/r/").order_by("-id")[0]
    found = re.search(r"/r/([^/\s]+)/", mail.body)
    assert found
    return {
        "reference": incident.reference, "number": "1", "verb": "resolve", "token": found[1], "key": "none",
        "app_label": "incidents", "content_type_id": "1", "url": "nothing/", "transition": "resolve", "format": ".json",
        "mail": str(mail.pk), "slug": "mttr",
    }  # fmt: skip


def paths() -> list[str]:
    """An address for each route."""
    values, mounted = samples(), _mounted()
    return sorted({_filled(route, view, values, mounted) for route, view in routes()})


def _filled(route: str, view: Any, values: dict[str, str], mounted: dict[str, Any]) -> str:
    model = _model_of(view) or next((model for path, model in mounted.items() if route.startswith(path)), None)
    newest = model._default_manager.order_by("-pk").values_list("pk", flat=True).first() if model else None
    pk = values["mail"] if route.startswith("mailbox/") else str(newest or 1)

    def value(name: str) -> str:
        return pk if name in {"pk", "object_id"} else values[name]

    text = re.sub(r"\(\?P<(\w+)>(?:\[[^\]]*\]|[^()])*\)", lambda found: value(found[1]), route)
    text = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: value(found[1]), text)
    numbers = iter([pk, "1"])
    text = re.sub(r"\(\[\^/\]\+\)", lambda found: next(numbers), text)
    return "/" + re.sub(r"[\^$]|\\Z|\.\*", "", text)


def look(client: Client, addresses: list[str], **more: Any) -> dict[str, int]:
    return {address: client.get(address, **more).status_code for address in addresses}


def broken(answers: dict[str, int]) -> dict[str, int]:
    return {address: status for address, status in answers.items() if status not in CALM}


@pytest.mark.parametrize("role", list(PEOPLE))
def test_no_get_of_any_route_changes_a_row_or_breaks(role: Role) -> None:
    client = signed_in(PEOPLE[role], raise_request_exception=False)
    addresses, before = [path for path in paths() if path != SCHEMA], digest()
    answers = look(client, addresses)
    assert digest() == before
    assert broken(answers) == {}
    assert answers["/desk/"] == 200


def test_no_get_of_a_stranger_changes_a_row_or_breaks() -> None:
    addresses, before = paths(), digest()
    answers = look(Client(raise_request_exception=False), addresses)
    assert digest() == before
    assert broken(answers) == {}
    shown = {address for address, status in answers.items() if status == 200}
    allowed = {
        "/help/",
        "/help/new/",
        "/accounts/login/",
        "/admin/login/",
        "/admin/jsi18n/",
        "/healthz",
        "/metrics",
        "/readyz",
    }
    allowed |= {"/api/schema/", "/api/docs/", f"/r/{samples()['token']}/"}
    assert shown <= allowed


def test_no_get_of_a_key_changes_a_row_or_breaks() -> None:
    header = bearer(ApiKeyFactory())
    addresses = [path for path in paths() if path.startswith("/api/")]
    look(Client(), ["/api/v1/users/"], headers={"Authorization": header})  # notes that the key is used
    before = digest()
    assert broken(look(Client(raise_request_exception=False), addresses, headers={"Authorization": header})) == {}
    assert digest() == before


def test_a_change_would_be_seen() -> None:
    before = digest()
    MembershipFactory(user=UserFactory(), team=TeamFactory())
    changed = {name for name, value in digest().items() if value != before[name]}
    assert {"accounts_membership", "accounts_team", "accounts_user"} <= changed


def admin_pages(model: Any, pk: Any) -> dict[str, str]:
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    return {"list": base, "form": f"{base}{pk}/change/", "history": f"{base}{pk}/history/"}


@pytest.mark.parametrize("login", ["admin", "auditor"])
def test_every_list_form_and_history_of_the_admin_loads(login: str) -> None:
    client = signed_in(login)
    wrong = {}
    for model, shown in admin.site._registry.items():
        row = model._default_manager.order_by("-pk").first()
        pages = admin_pages(model, row.pk) if row else {"list": admin_pages(model, 0)["list"]}
        if not hasattr(model, "history"):
            pages.pop("history", None)
        for name, address in pages.items():
            if (status := client.get(address).status_code) != 200:
                wrong[f"{model._meta.label} {name}"] = status
        if shown.search_fields and (status := client.get(pages["list"], {"q": "a"}).status_code) != 200:
            wrong[f"{model._meta.label} search"] = status
    assert wrong == {}


def test_every_model_of_ours_stands_in_the_admin() -> None:
    missing = {
        model._meta.label for model in apps.get_models()
        if model._meta.app_label in APPS and not model.__name__.startswith("Historical")
        and model not in admin.site._registry
    }  # fmt: skip
    assert missing <= INSIDE_OTHERS, f"not in the admin: {sorted(missing - INSIDE_OTHERS)}"


#: Parts that are shown on the page of what they belong to; the answers kept for a day, which may hold a new key; and
#: where the machinery that sends webhooks stands.
INSIDE_OTHERS = {
    "postmortems.TemplateSection", "audit.IdempotencyKey", "integrations.MailContent", "integrations.WebhookAttempt",
    "integrations.WebhookCursor", "integrations.WebhookLane",
}  # fmt: skip


def test_an_auditor_changes_nothing_by_post() -> None:
    client = signed_in("auditor", raise_request_exception=False)
    before = digest()
    answers = {path: client.post(path, {"_version": "1"}).status_code for path in paths() if may_be_posted(path)}
    after = digest()
    assert {name for name in before if before[name] != after[name]} <= {"django_session"}
    assert {path: status for path, status in answers.items() if status >= 500} == {}


def may_be_posted(path: str) -> bool:
    """A responder's link acts for its own person, whoever opens it; signing out is the auditor's own session; an export
    changes nothing but the trail, which says who took it."""
    return not path.startswith(("/r/", "/accounts/", "/admin/log", "/contacts/")) and not path.endswith(".csv")
