"""Lets the database write the history of ratings."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("metrics", "0001_ratings"), ("audit", "0002_guards")]

    operations = [InstallTriggers("metrics")]
