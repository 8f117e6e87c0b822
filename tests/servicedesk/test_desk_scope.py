"""The queue tells what an actor sees by team and owner; it has to be what the incidents themselves say."""

from __future__ import annotations

import pytest

from accounts.models import User
from incidents.models import Incident
from servicedesk.desk import queries
from sla.models import QueueEntry
from tests.accounts.factories import TeamFactory, UserFactory
from tests.incidents.factories import IncidentFactory, ParticipantFactory, key, person

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize("role", ["requester", "agent", "lead", "responder", "manager", "auditor", "integration"])
def test_the_queue_holds_what_the_actor_may_see(role: str, restricted: bool) -> None:
    user: User = UserFactory(roles=[role])
    mine, other = TeamFactory(), TeamFactory()
    actor = person(user, role, teams=(mine,))
    IncidentFactory(team=mine)
    IncidentFactory(team=other)
    IncidentFactory(team=other, assignee=user)
    IncidentFactory(team=other, requester=user)
    nobody = IncidentFactory(team=other)
    ParticipantFactory(incident=IncidentFactory(team=other), user=user)
    Incident.objects.update(is_restricted=restricted, restricted_reason="Staff" if restricted else "")
    Incident.objects.filter(pk=nobody.pk).update(team=None)
    QueueEntry.objects.filter(pk=nobody.pk).update(team=None)
    seen = set(Incident.objects.visible_to(actor).values_list("pk", flat=True))
    assert set(queries.queue("open", actor).values_list("pk", flat=True)) == seen
    assert queries.counts(actor).get("open", str(len(seen))) == str(len(seen))


def test_a_key_without_the_scope_finds_an_empty_queue() -> None:
    IncidentFactory(team=TeamFactory())
    assert not queries.queue("open", key("alerts:write")).exists()
