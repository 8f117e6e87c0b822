"""Lets the database write the history of mail texts."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("incidents", "0017_mails"), ("audit", "0002_guards")]

    operations = [InstallTriggers("incidents")]
