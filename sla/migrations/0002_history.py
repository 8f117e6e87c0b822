"""Lets the database write the history of calendars and policies, and guard versions, thresholds and breaches."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("sla", "0001_initial"), ("audit", "0002_guards")]

    operations = [InstallTriggers("sla")]
