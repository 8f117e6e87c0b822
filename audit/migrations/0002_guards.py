"""The refusal that every append-only table shares, on the audit app's own tables."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [InstallTriggers("audit")]
