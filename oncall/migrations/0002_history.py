"""Lets the database write the history of rotas and policies."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("oncall", "0001_initial"), ("audit", "0002_guards")]

    operations = [InstallTriggers("oncall")]
