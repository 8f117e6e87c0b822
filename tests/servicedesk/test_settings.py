"""What the settings give every connection."""

from __future__ import annotations

import pytest
from django.db import connection

from incidents.models import Incident
from tests.incidents.factories import IncidentFactory

pytestmark = pytest.mark.django_db


def test_search_forgives_a_letter_that_is_missing() -> None:
    payments = IncidentFactory(title="Payment gateway returns 502")
    IncidentFactory(title="Printer prints blank pages")
    assert list(Incident.objects.resembling("gatway")) == [payments]


def test_every_connection_knows_how_near_a_word_must_be() -> None:
    with connection.cursor() as cursor:
        cursor.execute("show pg_trgm.word_similarity_threshold")
        assert cursor.fetchone() == ("0.45",)
