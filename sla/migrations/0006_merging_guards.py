"""Guards voided breaches like the breaches themselves."""

from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("sla", "0005_merging"), ("audit", "0002_guards")]

    operations = [InstallTriggers("sla")]
