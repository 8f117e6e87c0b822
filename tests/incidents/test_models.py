"""What the rows of incidents refuse and show by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction

from audit.actor import SYSTEM
from incidents.actions import comment, resolve
from incidents.models import Category, Comment, Incident, PriorityMatrix, Service
from incidents.priority import matrix_of, problems, raised_urgency
from tests.accounts.factories import TeamFactory
from tests.incidents.factories import (
    AT,
    CategoryFactory,
    IncidentFactory,
    PriorityMatrixFactory,
    ServiceFactory,
    later,
)
from tests.incidents.trail import versions

pytestmark = pytest.mark.django_db


def write(incident: Incident, **values: Any) -> None:
    """As somebody with a database console would."""
    with transaction.atomic():
        Incident.objects.filter(pk=incident.pk).update(**values)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"impact": 0}, "inputs_in_range"),
        ({"urgency": 11}, "inputs_in_range"),
        ({"priority": 6}, "priority_in_range"),
        ({"priority_override": 1}, "override_has_reason"),
        ({"priority_override_reason": "x"}, "override_has_reason"),
        ({"occurred_at": later(minutes=-1), "detected_at": later(minutes=-2)}, "occurred_before_detected"),
        ({"detected_at": later(minutes=1)}, "detected_before_reported"),
        ({"reported_at": later(minutes=1)}, "reported_before_saved"),
        ({"acknowledged_at": AT}, "acknowledged_pair"),
        ({"hold_reason": "scheduled"}, "hold_complete"),
        ({"hold_until": AT}, "hold_complete"),
        ({"resolved_at": AT}, "resolution_complete"),
        ({"closed_at": AT}, "closing_complete"),
        ({"cancel_reason": "mistake"}, "cancel_complete"),
    ],
)
def test_the_database_refuses_half_a_fact(values: dict[str, Any], constraint: str) -> None:
    with pytest.raises(IntegrityError, match=f"incidents_{constraint}"):
        write(IncidentFactory(), **values)


def test_the_state_is_not_assigned() -> None:
    with pytest.raises(AttributeError):
        IncidentFactory().state = "closed"


def test_a_write_by_the_console_is_in_the_history_too() -> None:
    incident = IncidentFactory()
    write(incident, title="Changed behind the back")
    assert versions(incident) == 2


def test_a_reference_has_at_least_six_digits() -> None:
    assert (Incident(number=123).reference, Incident(number=12345678).reference) == ("INC-000123", "INC-12345678")


def test_an_imported_reference_is_imported_once() -> None:
    from tests.incidents.factories import IMPORT

    IncidentFactory(imported=True, by=IMPORT, external_ref="INC0000045")
    IncidentFactory(external_ref="INC0000045")
    with pytest.raises(IntegrityError), transaction.atomic():
        IncidentFactory(imported=True, by=IMPORT, external_ref="INC0000045")


def test_a_comment_is_never_changed() -> None:
    written = comment(incident=IncidentFactory(), body="x", by=SYSTEM, at=AT)
    with pytest.raises(DatabaseError), transaction.atomic():
        Comment.objects.filter(pk=written.pk).update(body="y")


def test_a_category_knows_its_path() -> None:
    leaf = CategoryFactory(name="VPN", parent=CategoryFactory(name="Network"))
    assert str(leaf) == "Network > VPN"


def test_the_category_tree_is_three_deep_at_most() -> None:
    root, middle = CategoryFactory(), CategoryFactory()
    middle.parent = root
    middle.full_clean()
    middle.save()
    leaf = CategoryFactory(parent=middle)
    with pytest.raises(ValidationError):
        Category(name="too deep", parent=leaf).full_clean()
    root.parent = CategoryFactory()
    with pytest.raises(ValidationError):
        root.full_clean()


def test_a_category_is_not_below_itself() -> None:
    root = CategoryFactory()
    root.parent = CategoryFactory(parent=root)
    with pytest.raises(ValidationError):
        root.full_clean()


def test_a_name_is_once_below_the_same_parent() -> None:
    CategoryFactory(name="Other")
    with pytest.raises(IntegrityError), transaction.atomic():
        CategoryFactory(name="Other")


def test_a_service_has_a_criticality_from_1_to_4() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Service.objects.filter(pk=ServiceFactory().pk).update(criticality=5)


def test_one_matrix_is_in_force() -> None:
    assert PriorityMatrix.objects.get(is_current=True).matrix.rows == ((1, 2, 3), (2, 3, 4), (3, 4, 5))
    with pytest.raises(IntegrityError), transaction.atomic():
        PriorityMatrixFactory(is_current=True)


def test_a_matrix_needs_a_name_for_each_side() -> None:
    matrix = PriorityMatrixFactory(impacts=["one"])
    with pytest.raises(ValidationError) as refusal:
        matrix.full_clean()
    assert set(refusal.value.message_dict) == {"impacts"}


def test_a_matrix_of_any_size_gives_its_cells() -> None:
    matrix = matrix_of([[1, 2, 3, 4], [2, 3, 4, 5]])
    assert (matrix.impacts, matrix.urgencies, matrix.priority(2, 4)) == (2, 4, 5)
    with pytest.raises(LookupError):
        matrix.priority(3, 1)
    assert problems([[1]]) == []
    assert [raised_urgency(one, is_vip=True) for one in (1, 2, 3)] == [1, 1, 2]
    assert raised_urgency(3, is_vip=False) == 3


#: Sweeps and lists, by the index that answers them.
PLANS = {
    "incidents_wake_up_due": lambda: Incident.objects.wake_up_due(AT),
    "incidents_close_due": lambda: Incident.objects.close_due(AT),
    "incidents_idle_due": lambda: Incident.objects.idle_due(AT),
    "incidents_override_due": lambda: Incident.objects.override_due(AT),
    "incidents_words": lambda: Incident.objects.matching("vpn gateway"),
    "incidents_said": lambda: Incident.objects.matching("vpn gateway"),
    "incidents_noted": lambda: Incident.objects.matching("vpn gateway", SYSTEM),
    "incidents_title_trigrams": lambda: Incident.objects.resembling("gatewy"),
}


#: A search is answered by several indexes together.
_TEXTS = ["incidents_words", "incidents_said", "incidents_noted"]
_BESIDE = dict.fromkeys(_TEXTS, _TEXTS)


@pytest.mark.parametrize("index", PLANS)
def test_no_sweep_and_no_search_scans_the_table(index: str) -> None:
    """With its own index as the only one beside the keys: on an empty table the planner would take any of them."""
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute(
            "select indexrelid::regclass::text from pg_index where indrelid = 'incidents_incident'::regclass "
            "and not indisunique and not indexrelid::regclass::text = any(%s)",
            [[index, *_BESIDE.get(index, [])]],
        )
        for (other,) in cursor.fetchall():
            cursor.execute(f"drop index {other}")
    plan = PLANS[index]().order_by().explain()
    assert index in plan
    assert "Seq Scan on incidents_incident" not in plan


def test_open_and_unowned_speak_of_what_is_to_be_done() -> None:
    queue = IncidentFactory(team=TeamFactory())
    resolve(incident=IncidentFactory(), code="fixed", by=SYSTEM, at=AT)
    assert list(Incident.objects.open()) == list(Incident.objects.unowned()) == [queue]
