"""Lets the database write the history of major incidents and guard their states."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("incidents", "0020_majors"), ("audit", "0002_guards")]

    operations = [InstallTriggers("incidents")]
