"""Rotas and policies: saved as wholes, refused when they would page nobody, on call by their layers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

import oncall.actions
from accounts.models import User
from accounts.queries import actor_for
from audit.actions import Forbidden, Invalid, Stale
from audit.actor import Actor
from oncall import queries
from oncall.models import EscalationPolicy, Layer, Level, LevelTarget, PolicyAssignment, RotationMember, Schedule
from tests.accounts.factories import MembershipFactory, TeamFactory, UserFactory
from tests.oncall.factories import (
    AT,
    EscalationPolicyFactory,
    LayerFactory,
    LevelFactory,
    OverrideFactory,
    RotationMemberFactory,
    ScheduleFactory,
    responder,
    service,
)

pytestmark = pytest.mark.django_db
MONDAY = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)
WEEK = dt.timedelta(weeks=1)


@pytest.fixture
def admin() -> Actor:
    return actor_for(UserFactory(roles=["admin"]))


def layer(*people: User, **given: Any) -> dict[str, Any]:
    values = {"name": "Weekly", "start_on": dt.date(2026, 1, 5), "handover_time": dt.time(9), "members": list(people)}
    return {**values, **given}


def save(by: Actor, **given: Any) -> Schedule:
    return oncall.actions.save_schedule(values={"name": "Primary", "zone": "Europe/Madrid", **given}, by=by, at=AT)


def save_policy(by: Actor, *levels: dict[str, Any], **given: Any) -> EscalationPolicy:
    return oncall.actions.save_policy(values={"name": "P", "levels": list(levels), **given}, by=by, at=AT)


def test_people_take_turns_at_the_wall_clock_hour_of_the_zone(admin: Actor) -> None:
    olu, wen = responder(), responder()
    schedule = save(admin, layers=[layer(olu, wen)])
    summer = dt.datetime(2026, 4, 6, 7, 0, tzinfo=dt.UTC)
    assert queries.who_is_on_call(schedule, MONDAY) == [olu]
    assert queries.who_is_on_call(schedule, MONDAY + WEEK) == [wen]
    assert queries.who_is_on_call(schedule, summer - dt.timedelta.resolution) == [olu]
    assert queries.who_is_on_call(schedule, summer) == [wen]


def test_the_highest_layer_counts_equal_layers_both_and_an_override_over_all(admin: Actor) -> None:
    low, high, twin, guest = (responder() for _ in range(4))
    schedule = save(
        admin,
        layers=[layer(low), layer(high, name="High", priority=5), layer(twin, name="Twin", priority=5)],
    )
    assert set(queries.who_is_on_call(schedule, AT)) == {high, twin}
    OverrideFactory(schedule=schedule, user=guest)
    assert queries.who_is_on_call(schedule, AT) == [guest]


def test_restrictions_leave_the_other_hours_to_a_lower_layer(admin: Actor) -> None:
    day, rest = responder(), responder()
    hours = [{"weekday": number, "start": "09:00", "end": "17:00"} for number in range(5)]
    schedule = save(admin, layers=[layer(rest), layer(day, name="Day", priority=1, restrictions=hours)])
    assert queries.who_is_on_call(schedule, MONDAY) == [day]
    assert queries.who_is_on_call(schedule, MONDAY + dt.timedelta(hours=8)) == [rest]


def test_a_shift_of_somebody_who_left_is_a_gap_and_moves_nobodys_turn(admin: Actor) -> None:
    gone, wen = responder(), responder()
    schedule = save(admin, layers=[layer(gone, wen)])
    gone.is_active = False
    gone.save()
    assert queries.who_is_on_call(schedule, MONDAY) == []
    assert queries.who_is_on_call(schedule, MONDAY + WEEK) == [wen]
    gap = queries.gaps_of(schedule, MONDAY, MONDAY + 2 * WEEK)
    assert gap == [(MONDAY, MONDAY + WEEK)]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"layers": [{"members": []}]}, "layers.0.members"),
        ({"layers": [{"shift_length": 0}]}, "layers.0"),
        ({"layers": [{"n_on_at_once": 9}]}, "layers.0.n_on_at_once"),
        ({"layers": [{"start_on": None}]}, "layers.0.start_on"),
        ({"layers": [{"restrictions": [{"weekday": 9, "start": "09:00", "end": "17:00"}]}]}, "layers.0.restrictions"),
        ({"layers": [{"restrictions": [{"weekday": 0, "start": "9", "end": "17:00"}]}]}, "layers.0.restrictions"),
        ({"layers": [{"restrictions": ["always"]}]}, "layers.0.restrictions"),
        ({"layers": [{}, {}]}, "layers"),
    ],
)
def test_a_bad_rota_is_refused_with_its_field(admin: Actor, given: dict[str, Any], field: str) -> None:
    olu = responder()
    if "layers" in given:
        given = {"layers": [layer(olu, **one) for one in given["layers"]]}
    with pytest.raises(Invalid) as refused:
        save(admin, **given)
    assert refused.value.field == field
    assert not Schedule.objects.exists()


def test_an_override_that_ends_before_it_starts_is_refused(admin: Actor) -> None:
    with pytest.raises(Invalid):
        save(admin, overrides=[{"user": responder(), "starts_at": AT, "ends_at": AT}])


def test_saving_replaces_only_what_changed_and_makes_one_version(admin: Actor) -> None:
    olu, wen, ada = responder(), responder(), responder()
    schedule = save(admin, layers=[layer(olu, wen), layer(ada, name="Backup", priority=-1)])
    kept = Layer.objects.get(name="Weekly")
    later = AT + WEEK
    changed = oncall.actions.save_schedule(
        schedule=schedule, values={"layers": [layer(olu, ada)]}, by=admin, at=later, expected_version=schedule.version
    )
    assert changed.version == schedule.version + 1
    assert Layer.objects.get() == kept
    assert list(RotationMember.objects.order_by("position").values_list("user", "version")) == [
        (olu.pk, 1),
        (ada.pk, 2),
    ]
    with pytest.raises(Stale):
        oncall.actions.save_schedule(
            schedule=schedule, values={"name": "Other"}, by=admin, at=later, expected_version=schedule.version
        )


def test_a_lead_changes_the_rota_of_the_own_team_only() -> None:
    team, other = TeamFactory(), TeamFactory()
    lead = UserFactory(roles=["lead"])
    MembershipFactory(user=lead, team=team, is_lead=True)
    by = actor_for(lead)
    schedule = save(by, team=team)
    for wrong in ({"team": other}, {"team": None}):
        with pytest.raises(Forbidden):
            oncall.actions.save_schedule(schedule=schedule, values=wrong, by=by, at=AT)
    with pytest.raises(Forbidden):
        save(by, name="Second")


def test_a_policy_is_saved_with_levels_and_targets_in_order(admin: Actor) -> None:
    olu, team = responder(), TeamFactory()
    MembershipFactory(user=olu, team=team)
    schedule = save(admin, layers=[layer(olu)])
    policy = save_policy(
        admin, {"delay_s": 60, "targets": [{"schedule": schedule}]}, {"targets": [{"user": olu}, {"team": team}]}
    )
    assert list(Level.objects.values_list("position", "delay_s")) == [(1, 60), (2, 300)]
    oncall.actions.save_policy(
        policy=policy, values={"levels": [{"delay_s": 60, "targets": [{"schedule": schedule}]}]}, by=admin, at=AT + WEEK
    )
    assert LevelTarget.objects.get().version == 1


def test_a_policy_that_pages_nobody_is_refused(admin: Actor) -> None:
    gone, empty, rota = responder(is_active=False), TeamFactory(), ScheduleFactory()
    for targets in ([], [{"user": gone}], [{"team": empty}], [{"schedule": rota}]):
        with pytest.raises(Invalid, match="nobody"):
            save_policy(admin, {"targets": targets})
    with pytest.raises(Invalid, match="needs a level"):
        save_policy(admin)
    assert not EscalationPolicy.objects.exists()


@pytest.mark.parametrize("roles", [[], ["requester"], ["manager"], ["auditor"]])
def test_nobody_is_named_who_may_not_respond(admin: Actor, roles: list[str]) -> None:
    stranger, olu = UserFactory(roles=roles), responder()
    idle = MembershipFactory(user=stranger).team
    refused: dict[str, Callable[[], Any]] = {
        "levels.0.targets": lambda: save_policy(admin, {"targets": [{"user": olu}, {"user": stranger}]}),
        "fallback_user": lambda: save_policy(admin, {"targets": [{"user": olu}]}, fallback_user=stranger),
        "fallback_team": lambda: save_policy(admin, {"targets": [{"user": olu}]}, fallback_team=idle),
        "layers.0.members": lambda: save(admin, layers=[layer(olu, stranger)]),
        "overrides.0.user": lambda: save(
            admin, overrides=[{"user": stranger, "starts_at": AT, "ends_at": AT + WEEK}]
        ),
    }  # fmt: skip
    for field, attempt in refused.items():
        with pytest.raises(Invalid, match=r"may (not )?respond") as error:
            attempt()
        assert error.value.field == field


def test_a_level_of_people_who_may_not_respond_is_a_level_of_nobody(admin: Actor) -> None:
    idle = MembershipFactory(user=UserFactory(roles=["requester"])).team
    rota = RotationMemberFactory(user=UserFactory()).layer.schedule
    for target in ({"team": idle}, {"schedule": rota}):
        with pytest.raises(Invalid, match="nobody is in this level"):
            save_policy(admin, {"targets": [target]})


def test_repeats_without_any_wait_are_refused(admin: Actor) -> None:
    with pytest.raises(Invalid, match="at once"):
        save_policy(admin, {"delay_s": 0, "targets": [{"user": responder()}]})
    save_policy(admin, {"delay_s": 0, "targets": [{"user": responder()}]}, repeats=0)


@pytest.mark.parametrize("repeats", [21, -1])
def test_repeats_are_bounded(admin: Actor, repeats: int) -> None:
    with pytest.raises(Invalid) as refused:
        save_policy(admin, {"targets": [{"user": responder()}]}, repeats=repeats)
    assert refused.value.field == "repeats"


def test_a_target_is_one_thing_and_stands_once(admin: Actor) -> None:
    olu, team = responder(), TeamFactory()
    for targets in ([{"user": olu, "team": team}], [{"user": olu}, {}], [{"user": olu}, {"user": olu}]):
        with pytest.raises(Invalid) as refused:
            save_policy(admin, {"targets": targets})
        assert refused.value.field == "levels.0.targets"


def test_a_fallback_that_leads_back_is_refused(admin: Actor) -> None:
    olu = responder()
    one = save_policy(admin, {"targets": [{"user": olu}]}, name="One")
    two = save_policy(admin, {"targets": [{"user": olu}]}, name="Two", fallback_policy=one)
    for loop in (two, one):
        with pytest.raises(Invalid, match="leads back: One") as refused:
            oncall.actions.save_policy(policy=one, values={"fallback_policy": loop}, by=admin, at=AT)
        assert refused.value.field == "fallback_policy"


def test_only_an_admin_changes_policies() -> None:
    lead = actor_for(UserFactory(roles=["lead"]))
    with pytest.raises(Forbidden):
        save_policy(lead, {"targets": [{"user": responder()}]})
    with pytest.raises(Forbidden):
        oncall.actions.assign_policy(policy=EscalationPolicyFactory(), service=service(), by=lead, at=AT)


def test_a_service_has_at_most_one_policy(admin: Actor) -> None:
    payments, one, two = service(), EscalationPolicyFactory(), EscalationPolicyFactory()
    for policy in (one, one, two):
        oncall.actions.assign_policy(policy=policy, service=payments, by=admin, at=AT)
    assert PolicyAssignment.objects.get().policy == two
    oncall.actions.assign_policy(policy=None, service=payments, by=admin, at=AT)
    assert not PolicyAssignment.objects.exists()
    with pytest.raises(Invalid):
        oncall.actions.assign_policy(policy=one, by=admin, at=AT)


def test_the_final_row_names_everybody_with_their_span(admin: Actor) -> None:
    member = RotationMemberFactory(layer=LayerFactory(schedule=ScheduleFactory(zone="UTC")))
    LevelFactory()
    rows = queries.final_row(member.layer.schedule, AT, AT + dt.timedelta(hours=1))
    assert rows == [(AT, AT + dt.timedelta(hours=1), member.user, 0)]
