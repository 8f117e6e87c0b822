"""Lets the database write the history of contacts."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("notify", "0001_initial"), ("audit", "0002_guards")]

    operations = [InstallTriggers("notify")]
