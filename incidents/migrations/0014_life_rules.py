"""Ships what has to be said before closing, and the rule that tells a lead of what changes hands too often."""

from django.apps.registry import Apps
from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from audit.actor import job
from audit.context import acting, entry

_REQUIRED = {"incident": ["cause", "confirmation"], "request": ["confirmation"], "question": ["confirmation"]}
_PING_PONG = "Three changes of team"


def ship(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    closing, escalation = (apps.get_model("incidents", name) for name in ("ClosingRule", "EscalationRule"))
    with transaction.atomic(), entry("migration"), acting(job("migrate")):
        for kind, required in _REQUIRED.items():
            closing.objects.create(kind=kind, required=required)
        escalation.objects.create(name=_PING_PONG, trigger="reassignments", value=3, how="hierarchical")


def withdraw(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with transaction.atomic(), entry("migration"), acting(job("migrate")):
        apps.get_model("incidents", "ClosingRule").objects.filter(kind__in=_REQUIRED).delete()
        apps.get_model("incidents", "EscalationRule").objects.filter(name=_PING_PONG).delete()


class Migration(migrations.Migration):
    dependencies = [("incidents", "0013_life_history")]

    operations = [migrations.RunPython(ship, withdraw)]
