"""`/readyz` says 503 whenever the promise can't be kept now, and which part is missing; `/healthz` asks nothing."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from audit.models import Delivery, Event
from incidents.models import Incident
from notify.models import Message
from oncall.models import Page
from servicedesk import readiness
from servicedesk.celery import app
from servicedesk.models import Heartbeat
from servicedesk.tasks import heartbeat
from sla.models import Clock
from tests.accounts.factories import UserFactory
from tests.incidents.factories import IncidentFactory
from tests.notify.factories import MessageFactory
from tests.oncall.factories import desk

pytestmark = pytest.mark.django_db

PARTS = {"database", "migrations", "triggers", "broker", "sweeps", "overdue", "deliveries", "mail", "webhooks"}


@pytest.fixture(autouse=True)
def _broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that answers; the tests' own settings name a socket where nobody listens."""
    monkeypatch.setattr(app.conf, "broker_write_url", "memory://")


@pytest.fixture
def alive() -> None:
    heartbeat()


def asked() -> tuple[int, dict[str, Any]]:
    answer = Client().get("/readyz")
    return answer.status_code, answer.json()


def wrong() -> set[str]:
    status, told = asked()
    bad = {name for name, check in told["checks"].items() if not check["ok"]}
    assert (status, told["status"]) == ((503, "not ready") if bad else (200, "ready"))
    return bad


def ago(seconds: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(seconds=seconds)


@pytest.mark.usefixtures("alive")
def test_a_desk_that_sweeps_is_ready() -> None:
    status, told = asked()
    assert (status, told["status"], set(told["checks"])) == (200, "ready", PARTS)
    assert told["checks"]["sweeps"]["age_s"] < 60


def test_a_desk_whose_sweeps_never_ran_is_not() -> None:
    assert wrong() == {"sweeps"}
    assert asked()[1]["checks"]["sweeps"]["remedy"] == "start worker and beat"


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize(("age", "missing"), [(58, set()), (61, {"sweeps"})])
def test_the_last_sweep_may_be_a_minute_old(age: float, missing: set[str]) -> None:
    Heartbeat.objects.update(at=ago(age))
    assert wrong() == missing


@pytest.mark.usefixtures("alive")
def test_a_beat_after_the_silence_makes_it_ready_again() -> None:
    Heartbeat.objects.update(at=ago(600))
    assert wrong() == {"sweeps"}
    heartbeat()
    assert wrong() == set()


@pytest.mark.usefixtures("alive")
def test_a_delivery_that_was_given_up_stays_an_alarm() -> None:
    IncidentFactory(at=timezone.now())
    Delivery.objects.create(
        event=Event.objects.latest("id"), handler="sla.handlers.retime", next_attempt_at=ago(0), given_up_at=ago(0)
    )
    assert wrong() == {"deliveries"}
    assert asked()[1]["checks"]["deliveries"]["given_up"] == 1
    Delivery.objects.update(done_at=ago(0))
    assert wrong() == set()


@pytest.mark.usefixtures("alive")
@pytest.mark.parametrize(("age", "missing"), [(30, set()), (90, {"deliveries"})])
def test_a_delivery_may_wait_a_minute(age: float, missing: set[str]) -> None:
    IncidentFactory(at=timezone.now())
    waiting = Delivery.objects.create(
        event=Event.objects.latest("id"), handler="sla.handlers.retime", next_attempt_at=ago(0)
    )
    Delivery.objects.filter(pk=waiting.pk).update(created_at=ago(age))
    assert wrong() == missing


@pytest.mark.usefixtures("alive")
def test_work_that_is_overdue_by_a_minute_is_an_alarm() -> None:
    at = desk()
    at.at = timezone.now()
    at.open()
    MessageFactory(next_attempt_at=ago(0))
    assert wrong() == set()
    for model, deadline in ((Page, "escalate_at"), (Clock, "next_threshold_at"), (Message, "next_attempt_at")):
        first = model._default_manager.order_by("pk").filter(**{f"{deadline}__isnull": False})[:1]
        row: Any = first.get()
        before = getattr(row, deadline)
        model._default_manager.filter(pk=row.pk).update(**{deadline: ago(90)})
        assert wrong() == {"overdue"}, model
        model._default_manager.filter(pk=row.pk).update(**{deadline: before})
    assert wrong() == set()


@pytest.mark.usefixtures("alive")
def test_a_broker_that_is_away_is_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.conf, "broker_write_url", "redis+socket:///nowhere/broker.sock")
    assert wrong() == {"broker"}
    assert "CELERY_BROKER_URL" in asked()[1]["checks"]["broker"]["remedy"]


@pytest.mark.usefixtures("alive")
def test_a_trigger_that_somebody_removed_is_an_alarm() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select tgname from pg_trigger where tgrelid = 'incidents_incident'::regclass and not tgisinternal limit 1"
        )
        (name,) = cursor.fetchone()
        cursor.execute(f'drop trigger "{name}" on incidents_incident')
    assert wrong() == {"triggers"}
    assert asked()[1]["checks"]["triggers"]["differences"]


@pytest.mark.usefixtures("alive")
def test_a_migration_that_is_missing_is_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    def unapplied() -> bool:
        raise LookupError

    monkeypatch.setattr(readiness, "_migrated", unapplied)
    assert wrong() == {"migrations"}


def test_a_database_that_is_away_is_told_and_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("connection refused: host=secret")

    monkeypatch.setattr(readiness, "_one", away)
    assert wrong() >= {"database", "sweeps", "overdue", "deliveries"}
    assert "secret" not in Client().get("/readyz").content.decode()


def test_healthz_answers_without_a_question_to_the_database(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.usefixtures("alive")
def test_the_figures_for_prometheus_are_the_same_and_name_nobody() -> None:
    IncidentFactory(at=timezone.now(), title="Salaries of Maria", requester=UserFactory(name="Maria"))
    text = Client().get("/metrics").content.decode()
    for part in PARTS:
        assert f'servicedesk_check_ok{{check="{part}"}} 1.0' in text
    assert 'figure="age_s"' in text
    assert "Maria" not in text
    assert Incident.objects.get().reference not in text
