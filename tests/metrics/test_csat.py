"""Ratings: one for each resolution and respondent, correctable for a day; a low one is looked into."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

import incidents.actions
import metrics.actions
from accounts.queries import leads_above
from audit.actions import ActionRefused, Forbidden, Invalid
from audit.actor import SYSTEM
from audit.models import Event
from metrics.actions import NotRatable, RatingFixed
from metrics.models import Rating
from notify.models import Message
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.incidents.factories import AT, IncidentFactory, later, person
from tests.metrics.factories import RatingFactory, requester_of, resolved

pytestmark = pytest.mark.django_db


def kinds(incident: Any) -> list[str]:
    rows = Event.objects.filter(about_id=incident.pk, about_type="incidents.incident", kind__startswith="rating.")
    return list(rows.order_by("id").values_list("kind", flat=True))


def mails_about(rating: Rating) -> list[Message]:
    return list(Message.objects.filter(topic=f"rating:{rating.pk}").order_by("id"))


def test_a_rating_is_given_once_and_the_same_again_changes_nothing() -> None:
    incident = resolved()
    first = RatingFactory(incident=incident, score=5, comment=" Quick. ")
    again = RatingFactory(incident=incident, score=5, comment="Quick.", at=later(days=9))
    assert (again.pk, again.version, again.comment, again.cycle) == (first.pk, 1, "Quick.", 1)
    assert kinds(incident) == ["rating.given"]


def test_a_slip_is_corrected_within_a_day_and_not_later() -> None:
    incident = resolved()
    RatingFactory(incident=incident, score=1)
    assert RatingFactory(incident=incident, score=5, at=AT + timedelta(hours=24)).score == 5
    with pytest.raises(RatingFixed):
        RatingFactory(incident=incident, score=4, at=AT + timedelta(hours=24, seconds=1))
    assert kinds(incident) == ["rating.given", "rating.changed"]


def test_each_resolution_is_rated_anew() -> None:
    incident = resolved()
    RatingFactory(incident=incident, score=1)
    incidents.actions.reopen(incident=incident, by=SYSTEM, at=later(minutes=5))
    with pytest.raises(NotRatable):
        RatingFactory(incident=incident, score=4)
    incidents.actions.resolve(incident=incident, code="fixed", by=SYSTEM, at=later(minutes=9))
    assert RatingFactory(incident=incident, score=4).cycle == 2
    assert Rating.objects.filter(incident=incident).count() == 2


@pytest.mark.parametrize("score", [0, 6, -1, True, 2**63])
def test_a_score_outside_one_to_five_is_refused(score: int) -> None:
    with pytest.raises(Invalid, match="is no score"):
        RatingFactory(score=score)


def test_only_who_reported_it_rates() -> None:
    incident = resolved()
    for actor in (person(UserFactory(), "admin"), SYSTEM):
        with pytest.raises(Forbidden):
            metrics.actions.rate(incident=incident, score=5, by=actor, at=AT)


def test_an_open_incident_and_a_drill_have_nothing_to_rate() -> None:
    open_one = IncidentFactory(requester=UserFactory())
    for incident in (open_one, resolved(is_drill=True)):
        with pytest.raises(NotRatable):
            metrics.actions.rate(incident=incident, score=5, by=requester_of(incident), at=AT)


def test_a_low_score_is_mailed_to_the_nearest_lead_in_their_language() -> None:
    above = TeamFactory()
    team = TeamFactory(parent=above)
    lead = UserFactory(locale="es")
    MembershipFactory(team=above, user=lead, is_lead=True)
    MembershipFactory(team=team, user=UserFactory())
    low = RatingFactory(incident=resolved(team=team), score=2, comment="Nobody called back.")
    (mail,) = mails_about(low)
    assert mail.address == lead.email
    assert "de 5" in mail.subject
    assert "Nobody called back." in mail.body
    assert mails_about(RatingFactory(incident=resolved(team=team), score=3)) == []


def test_a_low_score_of_a_team_without_a_lead_goes_to_the_incident_managers() -> None:
    manager = UserFactory(roles=["incident_manager"])
    UserFactory(roles=["incident_manager"], is_active=False)
    assert [one.address for one in mails_about(RatingFactory(score=1))] == [manager.email]


def test_a_correction_down_to_a_low_score_is_told_once() -> None:
    UserFactory(roles=["incident_manager"])
    incident = resolved()
    rating = RatingFactory(incident=incident, score=4)
    RatingFactory(incident=incident, score=2)
    RatingFactory(incident=incident, score=1)
    assert len(mails_about(rating)) == 1


def test_the_lead_settles_a_low_score_and_the_follow_up_ends() -> None:
    team = TeamFactory()
    low = RatingFactory(incident=resolved(team=team))
    lead = person(UserFactory(), "lead", leads=(team,))
    assert list(Rating.objects.to_settle()) == [low]
    done = metrics.actions.settle_rating(rating=low, note="We talked.", by=lead, at=later(days=1))
    assert (done.settled_by_id, done.settlement) == (lead.user_id, "We talked.")
    assert list(Rating.objects.to_settle()) == []
    with pytest.raises(ActionRefused, match="nothing to settle"):
        metrics.actions.settle_rating(rating=low, note="Again.", by=lead, at=later(days=2))
    with pytest.raises(RatingFixed):
        RatingFactory(incident=low.incident, score=5, at=later(hours=1))


def test_another_teams_lead_and_an_empty_note_settle_nothing() -> None:
    low = RatingFactory(incident=resolved(team=TeamFactory()))
    with pytest.raises(Forbidden):
        metrics.actions.settle_rating(
            rating=low, note="x", by=person(UserFactory(), "lead", leads=(TeamFactory(),)), at=AT
        )
    with pytest.raises(Invalid):
        metrics.actions.settle_rating(rating=low, note=" ", by=person(UserFactory(), "admin"), at=AT)


def test_ratings_are_seen_by_who_works_at_the_incident_and_by_the_respondent() -> None:
    team = TeamFactory()
    low = RatingFactory(incident=resolved(team=team))
    seers = [
        requester_of(low.incident), person(None, "agent", teams=(team,)), person(None, "manager"), SYSTEM
    ]  # fmt: skip
    assert [list(Rating.objects.visible_to(actor)) for actor in seers] == [[low]] * 4
    for stranger in (person(None, "requester"), person(None, "agent", teams=(TeamFactory(),))):
        assert not Rating.objects.visible_to(stranger).exists()


def test_the_leads_above_a_team_are_the_nearest_active_ones() -> None:
    top = TeamFactory()
    team = TeamFactory(parent=top)
    lead = MembershipFactory(team=top, is_lead=True).user
    MembershipFactory(team=team, is_lead=True, user=UserFactory(is_active=False))
    assert leads_above(team.pk) == [lead]
    near = MembershipFactory(team=team, is_lead=True).user
    assert leads_above(team.pk) == [near]
    assert leads_above(None) == []


def test_the_api_rates_settles_and_hides(client: Client) -> None:
    incident = resolved(requester=UserFactory(roles=["requester"]))
    client.force_login(incident.requester)
    body = {"incident": incident.reference, "score": 1}
    given = client.post("/api/v1/ratings/", body, content_type="application/json")
    assert (given.status_code, given.json()["is_low"]) == (200, True)
    address = f"/api/v1/ratings/{given.json()['id']}/settle/"
    assert client.post(address, {"note": "x"}, content_type="application/json").status_code == 403
    client.force_login(UserFactory(roles=["requester"]))
    assert client.post("/api/v1/ratings/", body, content_type="application/json").status_code == 400
    assert client.post(address, {"note": "x"}, content_type="application/json").status_code == 404
    client.force_login(UserFactory(roles=["incident_manager"]))
    assert client.post(address, {"note": "Called."}, content_type="application/json").json()["settlement"] == "Called."
    assert client.get("/api/v1/ratings/?to_settle=true").json()["results"] == []


def test_the_admin_lists_what_is_to_settle_and_settles_it(client: Client) -> None:
    low = RatingFactory()
    client.force_login(UserFactory(roles=["incident_manager"]))
    assert low.incident.reference in client.get("/admin/metrics/rating/?to_settle=yes").content.decode()
    address = f"/admin/metrics/rating/{low.pk}/do/settle/"
    client.post(address, {"_version": "1", "note": "Talked to her."})
    assert Rating.objects.get().settlement == "Talked to her."
