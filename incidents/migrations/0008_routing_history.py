"""Lets the database write the history of routing rules."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("incidents", "0007_routing"), ("audit", "0002_guards")]

    operations = [InstallTriggers("incidents")]
