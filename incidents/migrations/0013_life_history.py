"""Lets the database write the history of the new columns and of the rules on closing and escalation."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("incidents", "0012_life")]

    operations = [InstallTriggers("incidents")]
