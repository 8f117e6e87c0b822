"""Lets the database write the history of saved views."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("incidents", "0015_saved_views"), ("audit", "0002_guards")]

    operations = [InstallTriggers("incidents")]
