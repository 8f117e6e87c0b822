"""Post-mortems in the admin: complete, with buttons for the verbs, and read-only where they stand still."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from postmortems.models import ActionItem, ObligationRule, PostMortem, SectionText, Template, TimelineEntry
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import IncidentFactory
from tests.postmortems.factories import ActionItemFactory, PostMortemFactory

pytestmark = pytest.mark.django_db
MODELS = (ActionItem, ObligationRule, PostMortem, SectionText, Template, TimelineEntry)


def page(row: Any, do: str = "") -> str:
    meta = row._meta
    base = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return base.removesuffix("change/") + f"do/{do}/" if do else base


def signed_in(client: Client, *roles: str) -> Client:
    client.force_login(UserFactory(roles=list(roles)))
    return client


@pytest.mark.parametrize("role", ["admin", "auditor"])
def test_everything_is_listed_and_opened(client: Client, role: str) -> None:
    ActionItemFactory()
    signed_in(client, role)
    for model in MODELS:
        listed = reverse(f"admin:postmortems_{model._meta.model_name}_changelist")
        assert client.get(listed).status_code == 200
        row: Any = model._default_manager.order_by("pk").first()
        assert client.get(page(row)).status_code == 200
        history = reverse(f"admin:postmortems_{model._meta.model_name}_history", args=[row.pk])
        assert client.get(history).status_code == 200


def test_an_auditor_changes_nothing(client: Client) -> None:
    postmortem = PostMortemFactory()
    signed_in(client, "auditor")
    content = {"title": "Mine", "_version": "1"}
    assert client.post(page(postmortem), content).status_code == 403
    client.post(page(postmortem, "submit"), {"_version": "1"})
    assert (PostMortem.objects.get().state, PostMortem.objects.get().title) == ("draft", postmortem.title)


def test_a_postmortem_is_drafted_changed_and_moved_by_buttons(client: Client) -> None:
    signed_in(client, "admin")
    incident, template = IncidentFactory(impact=3, urgency=3), Template.objects.get(name="Light post-mortem")
    made = client.post(reverse("admin:postmortems_postmortem_add"), {"incident": incident.pk, "template": template.pk})
    postmortem = PostMortem.objects.get()
    assert made.status_code == 302
    content = {"title": "Better", "owner": "", "due_at_0": "", "due_at_1": "", "no_actions_reason": ""}
    assert client.post(page(postmortem), {**content, "_version": "1"}).status_code == 302
    assert PostMortem.objects.get().title == "Better"
    stale = client.post(page(postmortem), {**content, "title": "Older", "_version": "1"})
    assert stale.status_code == 200
    assert PostMortem.objects.get().title == "Better"
    client.post(page(postmortem, "submit"), {"_version": "2"})
    assert PostMortem.objects.get().state == "in_review"
    refused = client.post(page(postmortem, "publish"), {"_version": "3"}, follow=True)
    assert "can’t be published" in refused.content.decode() or "can&#x27;t be published" in refused.content.decode()
    client.post(page(postmortem, "return"), {"_version": "3", "reason": "no cause"})
    assert PostMortem.objects.get().state == "draft"


def test_no_transition_runs_on_get(client: Client) -> None:
    postmortem = PostMortemFactory()
    signed_in(client, "admin")
    assert client.get(page(postmortem, "submit")).status_code == 405
    assert PostMortem.objects.get().state == "draft"


def test_a_section_is_written_and_an_item_moved(client: Client) -> None:
    item = ActionItemFactory()
    signed_in(client, "admin")
    section = SectionText.objects.get(position=1)
    assert client.post(page(section), {"body": "We know.", "_version": "1"}).status_code == 302
    assert SectionText.objects.get(position=1).body == "We know."
    client.post(page(item, "finish"), {"_version": "1"})
    assert ActionItem.objects.get().state == "done"


def test_an_entry_of_the_trail_has_no_form_but_can_be_hidden(client: Client) -> None:
    entry = PostMortemFactory().timeline.first()
    assert entry is not None
    signed_in(client, "admin")
    assert client.post(page(entry), {"text": "nicer", "_version": "1"}).status_code == 403
    client.post(page(entry, "hide"), {"_version": "1", "reason": "noise"})
    assert TimelineEntry.objects.get(pk=entry.pk).hidden_reason == "noise"


def test_an_agent_finds_only_their_teams(client: Client) -> None:
    postmortem = PostMortemFactory(incident=IncidentFactory(team=TeamFactory()))
    signed_in(client, "agent")
    assert postmortem.title not in client.get(reverse("admin:postmortems_postmortem_changelist")).content.decode()
    assert client.get(page(postmortem)).status_code == 302
    linked = {
        "postmortem": postmortem.pk,
        "title": "x",
        "description": "",
        "owner": "",
        "due_on": "",
        "verification": "",
    }
    assert client.post(reverse("admin:postmortems_actionitem_add"), linked).status_code == 200
    assert not ActionItem.objects.exists()
