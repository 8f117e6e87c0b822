"""Lets the database write the history of merges, links and tasks, and guard the way back from a merge."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("incidents", "0009_merging"), ("audit", "0002_guards")]

    operations = [InstallTriggers("incidents")]
