from django.db import migrations

from audit.triggers import InstallTriggers


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_guards"), ("specimens", "0001_initial")]
    operations = [InstallTriggers("specimens")]
