"""Lets the database write the history of digests."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("metrics", "0004_digests")]

    operations = [InstallTriggers("metrics")]
