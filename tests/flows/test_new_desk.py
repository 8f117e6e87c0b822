"""What a migrated database ships is in the trail like everything else."""

from __future__ import annotations

import pytest

from audit.models import UnattributedWrite
from audit.queries import history_faults
from incidents.models import PriorityMatrix
from postmortems.models import Template
from sla.models import Calendar, SlaPolicy

pytestmark = pytest.mark.django_db


def test_no_migration_writes_as_nobody() -> None:
    assert list(UnattributedWrite.objects.values_list("model", "object_id")) == []


@pytest.mark.parametrize("model", [PriorityMatrix, Calendar, SlaPolicy, Template])
def test_shipped_configuration_has_a_history_that_verifies(model: type[PriorityMatrix]) -> None:
    shipped = list(model.objects.all())
    assert shipped
    assert [history_faults(model, row.pk) for row in shipped] == [[] for _ in shipped]
