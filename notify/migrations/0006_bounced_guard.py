"""Lets the guard of the messages' states know that a sent mail may come back."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("notify", "0005_bounced"), ("audit", "0002_guards")]

    operations = [InstallTriggers("notify")]
