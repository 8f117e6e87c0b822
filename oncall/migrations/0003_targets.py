
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('oncall', '0002_history'),
    ]

    operations = [
        migrations.AlterField(
            model_name='breachrule',
            name='target',
            field=models.CharField(blank=True, choices=[('acknowledge', 'acknowledge'), ('respond', 'respond'), ('next_reply', 'answer the requester'), ('resolve', 'resolve'), ('own', 'own')], help_text='empty: any', max_length=20, verbose_name='target'),
        ),
        migrations.AlterField(
            model_name='historicalbreachrule',
            name='target',
            field=models.CharField(blank=True, choices=[('acknowledge', 'acknowledge'), ('respond', 'respond'), ('next_reply', 'answer the requester'), ('resolve', 'resolve'), ('own', 'own')], help_text='empty: any', max_length=20, verbose_name='target'),
        ),
    ]
