"""Ships the first version of the priority matrix: 1 2 3 / 2 3 4 / 3 4 5."""

from django.apps.registry import Apps
from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.utils import timezone

from audit.actor import job
from audit.context import acting, entry


def ship(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    matrix = apps.get_model("incidents", "PriorityMatrix")
    if matrix.objects.exists():
        return
    with transaction.atomic(), entry("migration"), acting(job("migrate")):
        matrix.objects.create(
            number=1,
            name="Priority matrix",
            rows=[[1, 2, 3], [2, 3, 4], [3, 4, 5]],
            impacts=["High: a site or many people", "Medium: a team", "Low: one person"],
            urgencies=["High: work has stopped", "Medium: work is slower", "Low: it can wait"],
            is_current=True,
            created_at=timezone.now(),
        )


def withdraw(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with transaction.atomic(), entry("migration"), acting(job("migrate")):
        apps.get_model("incidents", "PriorityMatrix").objects.filter(number=1).delete()


class Migration(migrations.Migration):
    dependencies = [("incidents", "0002_history")]

    operations = [migrations.RunPython(ship, withdraw)]
