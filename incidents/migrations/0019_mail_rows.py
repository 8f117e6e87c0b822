"""One row for each mail and language, empty: the shipped text is in force until an admin writes another."""

from django.apps.registry import Apps
from django.db import migrations, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from audit.actor import job
from audit.context import acting, entry

_KINDS = ("opened", "commented", "held", "follow_up", "resolved", "closed", "confirm", "link")
_LANGUAGES = ("en", "es", "pt")


def ship(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    template = apps.get_model("incidents", "MailTemplate")
    with transaction.atomic(), entry("migration"), acting(job("migrate")):
        for kind in _KINDS:
            for locale in _LANGUAGES:
                template.objects.get_or_create(kind=kind, locale=locale)


def withdraw(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with transaction.atomic(), entry("migration"), acting(job("migrate")):
        apps.get_model("incidents", "MailTemplate").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("incidents", "0018_mails_history")]

    operations = [migrations.RunPython(ship, withdraw)]
