"""Lets the database write the history of webhooks, and makes the one cursor over the events."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_webhooks"), ("audit", "0002_guards")]

    operations = [
        InstallTriggers("integrations"),
        migrations.RunSQL(
            "insert into integrations_webhookcursor (id, low, seen, mark, running) values (1, 0, '[]', 0, '[]')",
            "delete from integrations_webhookcursor",
        ),
    ]
