"""Lets the database write the history of post-mortems and guard their states."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("postmortems", "0001_initial"), ("audit", "0002_guards")]

    operations = [InstallTriggers("postmortems")]
