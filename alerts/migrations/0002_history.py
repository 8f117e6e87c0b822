"""Lets the database write the history of alert sources and guard the states of alerts."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial"), ("audit", "0002_guards")]

    operations = [InstallTriggers("alerts")]
