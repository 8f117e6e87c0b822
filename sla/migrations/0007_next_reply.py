
import sla.terms
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('sla', '0006_merging_guards'),
    ]

    operations = [
        migrations.AlterField(
            model_name='breach',
            name='target',
            field=models.CharField(choices=[('acknowledge', 'acknowledge'), ('respond', 'respond'), ('next_reply', 'answer the requester'), ('resolve', 'resolve'), ('own', 'own')], max_length=12, verbose_name='target'),
        ),
        migrations.AlterField(
            model_name='clock',
            name='target',
            field=models.CharField(choices=[('acknowledge', 'acknowledge'), ('respond', 'respond'), ('next_reply', 'answer the requester'), ('resolve', 'resolve'), ('own', 'own')], max_length=12, verbose_name='target'),
        ),
        migrations.AlterField(
            model_name='historicalslapolicy',
            name='thresholds',
            field=models.JSONField(default=sla.terms.default_thresholds, help_text='Ascending: [{"percent": 75, "actions": [{"do": "notify", "to": ["assignee", "team_lead"]}]}]; actions: notify, raise_priority {"to": 1}, reassign {"team": 5}, escalate {"how": "functional", "team": 5} or {"how": "hierarchical"}; "targets" limits a threshold to some.', verbose_name='thresholds'),
        ),
        migrations.AlterField(
            model_name='slapolicy',
            name='thresholds',
            field=models.JSONField(default=sla.terms.default_thresholds, help_text='Ascending: [{"percent": 75, "actions": [{"do": "notify", "to": ["assignee", "team_lead"]}]}]; actions: notify, raise_priority {"to": 1}, reassign {"team": 5}, escalate {"how": "functional", "team": 5} or {"how": "hierarchical"}; "targets" limits a threshold to some.', verbose_name='thresholds'),
        ),
    ]
