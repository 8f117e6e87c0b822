"""Lets the database refuse changes of attachments: they only grow."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("incidents", "0004_attachments"), ("audit", "0002_guards")]

    operations = [InstallTriggers("incidents")]
