"""Links, duplicates and parts."""

from __future__ import annotations

import pytest

import incidents.actions as verbs
from audit.actions import Forbidden, Invalid
from audit.actor import SYSTEM
from incidents.actions import NotLinkable
from incidents.models import IncidentLink
from tests.accounts.factories import UserFactory
from tests.incidents.factories import AT, CommentFactory, IncidentFactory, ServiceFactory, later, person
from tests.incidents.trail import fresh, kinds, last

pytestmark = pytest.mark.django_db


def test_a_link_is_stated_once_and_taken_back() -> None:
    one, other = IncidentFactory(), IncidentFactory()
    link = verbs.add_link(incident=one, other=other, kind="caused_by", by=SYSTEM, at=AT)
    assert verbs.add_link(incident=one, other=other, kind="caused_by", by=SYSTEM, at=AT) == link
    assert last(one).data == {"other": other.reference, "link_kind": "caused_by"}
    verbs.remove_link(link=link, by=SYSTEM, at=AT)
    verbs.remove_link(link=link, by=SYSTEM, at=AT)
    assert kinds(one)[-2:] == ["linked", "unlinked"]


def test_the_opposite_of_a_link_is_refused_and_a_relation_has_no_direction() -> None:
    one, other = IncidentFactory(), IncidentFactory()
    verbs.add_link(incident=one, other=other, kind="caused_by", by=SYSTEM, at=AT)
    with pytest.raises(NotLinkable, match="already"):
        verbs.add_link(incident=other, other=one, kind="caused_by", by=SYSTEM, at=AT)
    related = verbs.add_link(incident=one, other=other, kind="related", by=SYSTEM, at=AT)
    assert verbs.add_link(incident=other, other=one, kind="related", by=SYSTEM, at=AT) == related
    with pytest.raises(NotLinkable, match="itself"):
        verbs.add_link(incident=one, other=one, kind="related", by=SYSTEM, at=AT)


def test_a_requester_links_nothing() -> None:
    incident = IncidentFactory(requester=UserFactory())
    with pytest.raises(Forbidden):
        verbs.add_link(
            incident=incident,
            other=IncidentFactory(),
            kind="related",
            by=person(incident.requester, "requester"),
            at=AT,
        )


def test_a_duplicate_is_cancelled_and_linked() -> None:
    one, other = IncidentFactory(), IncidentFactory()
    gone = verbs.cancel_as_duplicate(incident=one, of=other, by=SYSTEM, at=AT)
    assert (gone.state, gone.cancel_reason, gone.cancel_detail) == ("cancelled", "duplicate", other.reference)
    assert IncidentLink.objects.get().kind == "duplicate_of"
    with pytest.raises(NotLinkable):
        verbs.cancel_as_duplicate(incident=other, of=fresh(one), by=SYSTEM, at=AT)


def test_only_a_merge_gives_the_reason_merged() -> None:
    with pytest.raises(Invalid, match="only a merge"):
        verbs.cancel(incident=IncidentFactory(), reason="merged", by=SYSTEM, at=AT)


def test_a_comment_becomes_an_incident_of_its_own_reported_when_it_was_written() -> None:
    old = IncidentFactory(requester=UserFactory(), service=ServiceFactory(), impact=2, urgency=1)
    said = CommentFactory(incident=old, body="and the phone is dead", created_at=later(minutes=30))
    part = verbs.split(incident=old, title="Phone is dead", comment=said, by=SYSTEM, at=later(hours=2))
    assert (part.description, part.reported_at) == (said.body, later(minutes=30))
    assert (part.requester_id, part.service_id, part.priority) == (old.requester_id, old.service_id, old.priority)
    link = IncidentLink.objects.get()
    assert (link.incident_id, link.kind, link.other_id) == (part.pk, "split_from", old.pk)
    assert last(old).data == {"part": part.reference, "comment": said.pk}


def test_a_comment_of_another_incident_splits_nothing() -> None:
    with pytest.raises(Invalid):
        verbs.split(incident=IncidentFactory(), title="x", comment=CommentFactory(), by=SYSTEM, at=AT)
